"""From embeddings to numbers."""
