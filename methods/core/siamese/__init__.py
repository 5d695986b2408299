"""TransE beside contrastive pairs: what MSNEA, TMEA and CLAMEA share."""
