"""Parts of clip."""
