"""Parts of psnea."""
