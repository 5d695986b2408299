"""Functions that answer and lead nowhere else: what a method is given holds no links to find."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
ResultT = TypeVar("ResultT")


def sealed(function: Callable[P, ResultT]) -> Callable[P, ResultT]:
    """The function without a way to what it refers to.

    An ordinary closure or bound method shows its objects to whoever follows its attributes. Here
    they live in the frame of a waiting generator, which no attribute or closure leads into. That
    keeps accidents out, not code that digs through the interpreter's frames.

    Args:
        function: Answers the calls; it must not call the sealed function in turn.
    """
    running = _answers(function)
    next(running)

    def ask(*arguments: P.args, **named: P.kwargs) -> ResultT:
        result, error = running.send((arguments, named))
        if error is not None:
            raise error
        return result  # type: ignore[no-any-return]

    return ask


_Question = tuple[tuple[Any, ...], dict[str, Any]]


def _answers(function: Callable[..., Any]) -> Generator[Any, _Question, None]:
    answer: tuple[Any, BaseException | None] = (None, None)
    while True:
        arguments, named = yield answer
        try:
            answer = (function(*arguments, **named), None)
        except Exception as error:  # a generator that raises would answer no further call
            answer = (None, error)
