"""The HTTP door: plain ASGI functions around one hot path and an ordinary FastAPI application.

Lives here: authentication of calling systems, limits, headers, problem details, the predict route
(`hot_path`) and everything else (`app`). Must not live here: decisions (`gate`), wire formats of
questions (`codecs`), writes (`operations`, `serving`). Imported by: whoever starts the server.
"""
