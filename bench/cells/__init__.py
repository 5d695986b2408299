"""One cell, in a process of its own."""
