"""Parts of umaea."""
