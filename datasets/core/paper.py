"""Citation record carried by every dataset and method."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Paper:
    """Where a dataset or method was published.

    Attributes:
        authors: Surnames, comma separated.
        title: Full title.
        venue: Conference or journal, abbreviated.
        year: Year of publication.
        url: Address of the paper.
        code_url: Address of the official code or data; empty where there is none.
        code_commit: Commit that the description was checked against; empty where unknown.
        interpretation: Why a method is a complete reading of its description, not of released code:
            none was released, or it does not run; empty where such code could be followed. Results
            and every table say so.
    """

    authors: str
    title: str
    venue: str
    year: int
    url: str
    code_url: str = ""
    code_commit: str = ""
    interpretation: str = ""
