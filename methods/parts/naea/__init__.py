"""Parts of naea."""
