"""Parts of lightea."""
