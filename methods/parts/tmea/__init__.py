"""Parts of tmea."""
