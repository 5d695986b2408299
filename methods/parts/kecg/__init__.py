"""Parts that KECG alone needs."""
