"""Parts of meaformer."""
