"""Slim records of reference runs, what they came from, and remarks on them."""
