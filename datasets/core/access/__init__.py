"""Finding, caching, fetching and writing datasets."""
