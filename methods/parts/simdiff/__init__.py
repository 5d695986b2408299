"""Parts of simdiff."""
