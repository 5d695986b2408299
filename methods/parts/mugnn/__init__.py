"""Parts that MuGNN alone needs."""
