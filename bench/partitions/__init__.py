"""Training in parts: both KGs cut together, any method trained on one part after the other."""
