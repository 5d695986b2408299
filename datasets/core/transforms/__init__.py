"""Changes of any dataset that its address asks for, such as ``[image_ratio=0.4]``."""
