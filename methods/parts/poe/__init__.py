"""Parts of poe."""
