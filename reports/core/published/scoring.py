"""Under which of its scorings a measured number is held against a printed one."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from mmea_bench.reports.core.rows.select import DEFAULT_CSLS, PAIRS, decoder_words
from mmea_bench.results.core.published import name_key
from mmea_bench.results.core.published_scoring import PrintedScoring
from mmea_bench.results.core.schema import NO_DECODER

USUAL_CANDIDATES = "test"
"""Which entities the published tables rank where they do not say it."""
WHOLE_CANDIDATES = "links"
"""The entities of all links, of which none is a seed: what ``test`` is at a seed ratio of 0."""
PUBLISHED_DIRECTION = "src2tgt"
"""In which direction they are read where nobody says it."""


@dataclass(frozen=True, order=True)
class Scoring:
    """How numbers are scored.

    Attributes:
        similarity: How pairs were compared; "" for any.
        csls: Neighbourhood size, 0 for none.
        decoder: What came after the scores.
        candidates: What was ranked.
        direction: Which KG asks: ``src2tgt``, ``tgt2src``, or ``pairs`` where none does.
    """

    similarity: str = ""
    csls: int = DEFAULT_CSLS
    decoder: str = NO_DECODER
    candidates: str = USUAL_CANDIDATES
    direction: str = PUBLISHED_DIRECTION

    def words(self, *, with_candidates: bool = False) -> str:
        """Printed, such as ``cosine, CSLS 3``; candidates where they are asked for.

        A direction is said only where it is not the usual one.
        """
        size = f"CSLS {self.csls}" if self.csls else "no CSLS"
        decoder = "" if self.decoder == NO_DECODER else decoder_words(self.decoder)
        candidates = f"{self.candidates} candidates" if with_candidates else ""
        direction = "target to source" if self.direction == "tgt2src" else ""
        return ", ".join(filter(None, (self.similarity, size, decoder, candidates, direction)))

    def distance(self, other: Scoring) -> tuple[bool, bool, bool, bool, int]:
        """How far a measured scoring is from this one; the first differences weigh most."""
        return (
            other.direction not in (self.direction, PAIRS),
            not _is_same_decoder(self.decoder, other.decoder),
            self.candidates != other.candidates,
            bool(self.similarity) and self.similarity != other.similarity,
            abs(self.csls - other.csls),
        )

    def is_met_by(self, other: Scoring) -> bool:
        """Whether a measured scoring is exactly this one."""
        return not any(self.distance(other))


@dataclass(frozen=True)
class Choice:
    """The scoring to compare, and what is to be said of it.

    Attributes:
        measured: How ours was scored.
        published: How the printed number was, in words; ``not stated``.
        mismatch: Why the two are not alike, empty if they are.
        assumption: What was assumed where the source does not say it; empty for nothing.
    """

    measured: Scoring
    published: str
    mismatch: str = ""
    assumption: str = ""


class PublishedScorings:
    """How published numbers were scored, by method and table.

    Args:
        rows: ``Published.scoring``.
    """

    def __init__(self, rows: Sequence[PrintedScoring] = ()) -> None:
        self._by_method: dict[str, list[PrintedScoring]] = {}
        for row in rows:
            self._by_method.setdefault(name_key(row.method), []).append(row)

    def stated(self, method: str, source: str, table: str) -> Scoring | None:
        """How the numbers of a method in a table were scored; None where nobody says it."""
        # The lines of a log are one table.
        where = (source, table.partition("#")[0])
        rows = self._by_method.get(name_key(method), [])
        found = [row for row in rows if (row.source, row.table) == where and row.is_stated]
        return _scoring(found[0]) if found else None

    def setting(self, method: str, source: str, table: str) -> frozenset[str]:
        """What is known of names and pseudo-labels where the table itself does not say it."""
        where = (source, table.partition("#")[0])
        for row in self._by_method.get(name_key(method), []):
            if (row.source, row.table) == where:
                return row.setting_words
        return frozenset()

    def usual(self, method: str) -> Scoring | None:
        """How a method is usually scored: in its own paper, by its program, or else somewhere."""
        key = name_key(method)
        found = [row for row in self._by_method.get(key, []) if row.is_stated]
        found.sort(key=lambda row: (not name_key(row.source).startswith(key), row.source != ""))
        return _scoring(found[0]) if found else None


def _scoring(row: PrintedScoring) -> Scoring:
    return Scoring(
        row.similarity,
        row.csls or 0,
        row.decoder or NO_DECODER,
        row.candidates or USUAL_CANDIDATES,
        row.direction or PUBLISHED_DIRECTION,
    )


def choose(measured: Collection[Scoring], stated: Scoring | None, usual: Scoring | None) -> Choice:
    """The measured scoring to hold against a printed number.

    Args:
        measured: What there is; at least one.
        stated: How the printed number was scored, None where nobody says it.
        usual: How its method is scored elsewhere, None if that is not known.

    Returns:
        The scoring that is exactly the stated one, or the nearest. Where none is stated, the usual
        one of the method, or else CSLS 3 with whatever similarity, counts as if it were.
    """
    if stated is not None:
        found = _nearest(measured, stated)
        mismatch = "" if stated.is_met_by(found) else _mismatch("published under", stated, found)
        return Choice(found, stated.words(), mismatch)
    default = Scoring()
    # What an unknown similarity leaves open goes by the method's usual one.
    preferred = default if usual is None else replace(default, similarity=usual.similarity)
    assumed = [wanted for wanted in (usual, preferred, default) if wanted is not None]
    for wanted in assumed:
        found = _nearest(measured, wanted)
        if wanted.is_met_by(found):
            assumption = f"the source does not state its scoring, taken as {wanted.words()}"
            return Choice(found, "not stated", assumption=assumption)
    wanted = assumed[0]
    found = _nearest(measured, wanted)
    return Choice(
        found, "not stated", _mismatch("published scoring not stated, taken as", wanted, found)
    )


def _nearest(measured: Collection[Scoring], wanted: Scoring) -> Scoring:
    return min(measured, key=lambda found: (wanted.distance(found), found))


def _mismatch(how: str, wanted: Scoring, found: Scoring) -> str:
    is_said = wanted.candidates != found.candidates
    printed, ours = (words.words(with_candidates=is_said) for words in (wanted, found))
    return f"{how} {printed}; measured under {ours}"


def _is_same_decoder(published: str, measured: str) -> bool:
    """Whether the decoders are one; a published one without parameters stands for any."""
    if "[" in published:
        return published == measured
    return published == measured.partition("[")[0]
