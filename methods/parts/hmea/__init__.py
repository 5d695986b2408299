"""Parts of hmea."""
