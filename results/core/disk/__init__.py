"""Files that are whole or absent, and reading that cannot hang."""
