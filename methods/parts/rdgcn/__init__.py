"""Parts of RDGCN."""
