"""One function per file layout."""
