"""The trail as people use it: search it, take it along, and review it."""
