"""Encoder, losses and training that MEAformer and its successors share."""
