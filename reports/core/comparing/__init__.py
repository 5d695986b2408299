"""Two sides of results held against each other: what changed, and what came of it."""
