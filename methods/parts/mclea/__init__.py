"""Parts of mclea."""
