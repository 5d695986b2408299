"""Parts of iptranse."""
