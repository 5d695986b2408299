"""Parts of geea."""
