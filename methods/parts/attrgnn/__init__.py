"""Parts of AttrGNN."""
