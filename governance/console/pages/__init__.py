"""Pages: one function a route, from a visit to a response. They read views and set templates."""
