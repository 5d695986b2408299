"""Documents in every format; equal documents give equal bytes."""
