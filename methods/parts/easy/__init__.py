"""EASY's matching of names and what it makes of a matching."""
