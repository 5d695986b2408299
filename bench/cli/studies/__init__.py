"""Verbs on studies of one's own: two sides compared, methods tuned."""
