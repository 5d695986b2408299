"""Tests and ranks."""
