"""Human decisions: a review is opened with an owner and a due time, and decided with signatures."""
