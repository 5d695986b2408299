"""Parts of UMAEA."""
