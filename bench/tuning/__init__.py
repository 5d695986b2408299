"""Equal tuning: each method gets the same budget, on validation links alone."""
