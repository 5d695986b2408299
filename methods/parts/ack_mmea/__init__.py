"""Parts of ack_mmea."""
