"""What a run keeps of a cell besides its record (no part of a key), and how it gets hold of it.

The hook is where a method is configured and not where its result is scored: the code that scores is
hashed into every key, and whether somebody looks on changes no number.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from mmea_bench.datasets.core.errors import UserError, unknown_name
from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.methods.core.base import Alignment, Method, RunContext
from mmea_bench.methods.core.wrapped import WrappedMethod
from mmea_bench.results.core.predictions.limits import DEFAULT_CANDIDATES, MOST_CANDIDATES

PREDICTIONS, EMBEDDINGS = "predictions", "embeddings"
KEPT_KINDS = (PREDICTIONS, EMBEDDINGS)


@dataclass(frozen=True)
class Keeping:
    """What is kept, and where.

    Attributes:
        kinds: Of ``KEPT_KINDS``.
        n_candidates: Best candidates of each link that predictions hold.
        folder: Results folder.
    """

    kinds: tuple[str, ...] = ()
    n_candidates: int = DEFAULT_CANDIDATES
    folder: Path | None = None

    def keeps(self, kind: str) -> bool:
        """Whether this kind is kept, and there is a place for it."""
        return self.folder is not None and kind in self.kinds


NOTHING_KEPT = Keeping()


def keeping_of(kinds: Sequence[str], n_candidates: int) -> Keeping:
    """What a request asks to keep.

    Raises:
        UserError: If there is no such kind, or the number of candidates is out of range.
    """
    for kind in kinds:
        if kind not in KEPT_KINDS:
            raise UserError(unknown_name("thing to keep", kind, KEPT_KINDS))
    if not 1 <= n_candidates <= MOST_CANDIDATES:
        raise UserError(f"--top-k takes 1 to {MOST_CANDIDATES}, not {n_candidates}.")
    return Keeping(tuple(dict.fromkeys(kinds)), n_candidates)


@dataclass
class Watch:
    """What was seen.

    Attributes:
        method: The configured method.
        returned: What its last ``fit`` returned; None before.
    """

    method: Method | None = None
    returned: Alignment | None = None


_WATCH: ContextVar[Watch | None] = ContextVar("watch", default=None)


@contextmanager
def watching() -> Iterator[Watch]:
    """While it lasts, the methods that are configured show what they return."""
    watch = Watch()
    token = _WATCH.set(watch)
    try:
        yield watch
    finally:
        _WATCH.reset(token)


def watched(method: Method) -> Method:
    """The method itself; if somebody watches, one that shows what its trainings return."""
    watch = _WATCH.get()
    if watch is None:
        return method
    watch.method = method
    return cast(Method, _Seen(method, watch))


class _Seen(WrappedMethod):
    """A method in all but ``fit``; the method itself stays as it is, for states are made of it."""

    def __init__(self, method: Method, watch: Watch) -> None:
        super().__init__(method)
        self._watch = watch

    def fit(self, view: TrainView, ctx: RunContext) -> Alignment:
        """As the method's own."""
        self._watch.returned = None  # of two attempts the last one counts
        self._watch.returned = self._method.fit(view, ctx)
        return self._watch.returned
