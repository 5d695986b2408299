"""Graphs of a view: both KGs as one, sets of triples, ids that partners share."""
