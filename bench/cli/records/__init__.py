"""Verbs on single records."""
