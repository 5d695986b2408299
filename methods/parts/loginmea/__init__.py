"""Parts of loginmea."""
