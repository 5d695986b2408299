"""Variants that change what is asked of a method, not the method."""

from __future__ import annotations

import re

FULL = "full"
UNSUPERVISED = "unsupervised"

_GIVEN = r"(?:w/o|without|w/|with|no|non)?[ -]*"
_SETTINGS = (
    r"(?:entity )?names?",
    r"surface forms?|sf",
    r"iterative(?: (?:learning|training|strategy))?|iter\. strategy|iterations?|il",
    r"pseudo[ -](?:labels?|seeds?|links?)|bootstrapping",
    UNSUPERVISED,
)
_SETTING = re.compile(_GIVEN + f"(?:{'|'.join(_SETTINGS)})", re.IGNORECASE)


def setting_words(variant: str) -> tuple[str, ...] | None:
    """The parts of a variant's name that speak of its setting; None where one speaks of more.

    Papers print such variants as the method itself, and the setting in the table: whether it reads
    names, learns from pseudo-labels, or has seed links at all. The full method has no such part.
    What a run really did stands in the columns of its cell, so that nobody need read it from here.

    Args:
        variant: Name without overrides, such as ``iterative, w/o names``.
    """
    parts = () if variant in ("", FULL) else tuple(re.split(r",\s*", variant))
    return parts if all(_SETTING.fullmatch(part) for part in parts) else None
