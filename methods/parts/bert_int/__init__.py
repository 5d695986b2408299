"""Parts of bert_int."""
