"""Parts of mmea."""
