"""Ranking among the best candidates that an index finds, where all pairs would take too long."""
