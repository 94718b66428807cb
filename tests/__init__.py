"""A regular package, because some installed libraries bring a top-level `tests` of their own."""
