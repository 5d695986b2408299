"""The state of a running training as numbers, text and names: no code in it is run."""
