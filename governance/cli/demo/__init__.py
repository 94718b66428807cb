"""The demonstration: one model governed end to end, told step by step in a home of its own."""
