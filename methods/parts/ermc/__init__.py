"""Parts of ERMC."""
