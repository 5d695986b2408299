"""How many candidates of a link are kept; light, for the command line reads it at every start."""

from __future__ import annotations

DEFAULT_CANDIDATES = 10
MOST_CANDIDATES = 1000
