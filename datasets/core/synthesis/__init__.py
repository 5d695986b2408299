"""Generator of multi-modal KG pairs: one hidden world, two graphs that describe it."""
