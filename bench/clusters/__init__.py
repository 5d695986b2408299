"""Cells on a Dask cluster."""
