"""Parts of selfmea."""
