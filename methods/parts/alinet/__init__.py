"""Parts that AliNet alone needs."""
