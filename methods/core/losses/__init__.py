"""Losses and scores of batches."""
