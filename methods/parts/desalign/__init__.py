"""Parts of desalign."""
