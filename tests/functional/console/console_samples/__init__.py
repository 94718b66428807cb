"""Invented evidence and an invented deployment, for tests and pictures of the pages."""
