"""What becomes of a request as a whole: its folder, what it will skip, what it trains once."""
