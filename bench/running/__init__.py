"""Many cells on one machine, or on several that share a folder."""
