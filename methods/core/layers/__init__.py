"""Modules that know no data files."""
