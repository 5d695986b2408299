"""What a file may unpack to, and arrays out of files that others made."""
