"""Parts of crossea."""
