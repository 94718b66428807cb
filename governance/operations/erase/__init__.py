"""Erasing a person: the request, the second person's decision, and what keeps evidence (P13)."""
