"""How links are ranked: exactly, or among candidates of an index."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mmea_bench.bench.scoring.protocol import EXACT
from mmea_bench.datasets.core.errors import UserError, lacking_extra, unknown_name
from mmea_bench.datasets.core.options import (
    build_options,
    changed_options,
    format_address,
    parse_address,
)

APPROXIMATE = "approximate"


@dataclass(frozen=True)
class Approximate:
    """Links are ranked among the best candidates that an inverted-file index finds.

    Attributes:
        k: Candidates of an entity.
        probes: Cells of the index that are looked into for an entity; more find more and take
            longer.
    """

    k: int = 100
    probes: int = 32

    def __post_init__(self) -> None:
        for name in ("k", "probes"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be 1 or more")


def parse_ranking(address: str) -> Approximate | None:
    """The way of ranking behind an address; None for the exact one.

    Raises:
        UserError: If there is no such way, or a parameter does not fit.
    """
    name, options = parse_address(address)
    if name not in (EXACT, APPROXIMATE) or (name == EXACT and options):
        raise UserError(unknown_name("ranking", address, (EXACT, f"{APPROXIMATE}[k=100]")))
    if name == EXACT:
        return None
    return build_options(f"parameter of ranking {name}", Approximate, options)


def ranking_address(ranking: Approximate | None) -> str:
    """Canonical address; ``k`` is always in it, other parameters where they are not at default."""
    if ranking is None:
        return EXACT
    return format_address(APPROXIMATE, {"k": ranking.k, **changed_options(ranking)})


def checked_ranking(address: str, csls_sizes: tuple[int, ...], decoders: tuple[str, ...]) -> str:
    """The canonical address of a way of ranking that fits the other rules of scoring.

    Args:
        address: As ``parse_ranking``.
        csls_sizes: Neighbourhood sizes of CSLS, whose means are taken over the same candidates.
        decoders: Decoders besides those that only rank by scores.

    Raises:
        UserError: If it does not fit, or the index is not installed.
    """
    ranking = parse_ranking(address)
    if ranking is not None:
        if max(csls_sizes) > ranking.k:
            raise UserError(
                f"Ranking among {ranking.k} candidates has no neighbourhoods of {max(csls_sizes)} "
                "for CSLS; ask for a larger k."
            )
        if decoders:
            raise UserError(
                f"The decoders {', '.join(decoders)} read all scores; leave them out or rank "
                "exactly."
            )
        load_faiss()
    return ranking_address(ranking)


def load_faiss() -> Any:
    """The library of the index, an optional part.

    Raises:
        UserError: If it is not installed.
    """
    try:
        import faiss
    except ImportError as error:
        raise lacking_extra("Approximate ranking needs faiss", "scale") from error
    return faiss
