"""From a view to features and graphs."""
