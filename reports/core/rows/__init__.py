"""Which rows of the tables a report shows."""
