"""What a dataset is in memory."""
