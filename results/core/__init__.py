"""Schema and store of results."""
