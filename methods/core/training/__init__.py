"""Loops, pseudo-seeds and kept state."""
