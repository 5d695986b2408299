"""Building all reports and serving them."""
