"""Entities without a partner: whether the scores tell them from the others."""
