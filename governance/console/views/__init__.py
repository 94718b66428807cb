"""Views: what a page shows, as frozen values read from one consistent state.

A view function takes a reader and an instant and returns a dataclass; templates only set it. No
view decides anything.
"""
