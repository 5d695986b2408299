"""Contrast without positive pairs: what SelfKG and SelfMEA share."""
