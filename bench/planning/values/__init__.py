"""Values of a suite file: read from TOML, checked and built."""
