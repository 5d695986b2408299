"""The verb `list`: what there is to run."""
