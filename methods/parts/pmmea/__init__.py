"""Parts of pmmea."""
