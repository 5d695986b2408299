"""Parts of GMN."""
