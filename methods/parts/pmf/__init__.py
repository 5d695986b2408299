"""Parts of pmf."""
