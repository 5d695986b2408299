"""Errors link by link: systems, slices of links, pairs of systems."""
