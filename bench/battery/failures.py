"""How a check ends when a method does not pass it, or when it has nothing to check."""

from __future__ import annotations


class CheckFailedError(AssertionError):
    """The method does not do what a method must do; the text says what is wrong and what to do."""


class NotApplicableError(Exception):
    """There is nothing to check; the text says why."""


def require(fact: bool, sentence: str) -> None:  # noqa: FBT001 - reads as an assertion
    """Fails the check with a sentence unless a fact holds.

    Raises:
        CheckFailedError: If it does not.
    """
    if not fact:
        raise CheckFailedError(sentence)
