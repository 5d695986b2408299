"""Records of older schemas, brought to the present one; one file per schema left behind."""
