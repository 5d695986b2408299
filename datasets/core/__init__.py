"""Data model, file readers and catalogue of datasets."""
