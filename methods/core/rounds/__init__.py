"""Steps and rounds of RREA, MRAEA, Dual-AMN and what stands on them."""
