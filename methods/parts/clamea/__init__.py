"""Parts of clamea."""
