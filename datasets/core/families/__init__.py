"""What the datasets of one family share."""
