"""Parts of multike."""
