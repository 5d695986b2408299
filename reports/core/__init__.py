"""Parts that reports share."""
