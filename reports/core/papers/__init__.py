"""Tables as the papers lay them out."""
