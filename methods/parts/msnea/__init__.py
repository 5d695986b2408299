"""Parts of msnea."""
