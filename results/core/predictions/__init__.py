"""Per-link predictions and vectors that a run kept: schema, writer and reader."""
