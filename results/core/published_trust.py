"""Which published numbers can be trusted: contradictions applied to the rows that they concern."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import pandas as pd

SELECTORS = (
    "source",
    "table",
    "method",
    "variant",
    "dataset",
    "seed_ratio",
    "setting",
    "metric",
)
FULL_MODEL = "full"
"""Word for the full model in a selector; the rows hold an empty variant."""
NOT_SAID = "-"
"""Word in a selector for an empty setting or seed ratio."""
TRUST_LEVELS = ("trusted", "loose", "avoid")
_TRUST_OF_VERDICT = {"use": "trusted", "note": "trusted", "loose": "loose", "avoid": "avoid"}


def id_number(contradiction: str) -> int:
    """12 for ``C12``; contradictions are listed in this order."""
    return int(contradiction.removeprefix("C"))


def rows_concerned(frame: pd.DataFrame, selector: Mapping[str, str]) -> pd.Series:
    """Whether a contradiction concerns a row.

    An empty selector concerns every row, ``a|b`` those with either. A table is meant with every
    line of its file (``results/report.csv`` for ``results/report.csv#L3-l``); a setting is meant
    where all its words are among those of the row (``iterative`` for ``no-names;iterative``).

    Args:
        frame: Published results.
        selector: The columns ``SELECTORS`` of a contradiction.

    Returns:
        One truth value per row, on the index of the frame.
    """
    concerned = pd.Series(data=True, index=frame.index)
    for column in SELECTORS:
        if not selector[column]:
            continue
        wanted = set(selector[column].split("|"))
        meant = [held for held in frame[column].unique() if _is_meant(column, held, wanted)]
        concerned &= frame[column].isin(meant)
    return concerned


def _is_meant(column: str, held: object, wanted: set[str]) -> bool:
    if column == "seed_ratio":
        ratio = float(str(held))
        if math.isnan(ratio):
            return NOT_SAID in wanted
        return any(word != NOT_SAID and float(word) == ratio for word in wanted)
    text = str(held)
    if column == "table":
        return text in wanted or text.partition("#")[0] in wanted
    if column == "setting":
        words = set(text.split(";")) if text else {NOT_SAID}
        return any(set(choice.split(";")) <= words for choice in wanted)
    if column == "variant":
        return (text or FULL_MODEL) in wanted
    return text in wanted


def with_trust(results: pd.DataFrame, contradictions: pd.DataFrame) -> pd.DataFrame:
    """Results with the columns that say which number to compare with, and why.

    Where several contradictions concern a row, the least trust holds, and of several tolerances
    the largest.

    Args:
        results: Published results with ``metric`` and ``value``.
        contradictions: Rows with ``SELECTORS``, ``id``, ``verdict``, ``use_value``,
            ``tolerance``, ``reads_as`` and ``why``.

    Returns:
        A copy with ``trust``, ``tolerance``, ``use_value``, ``reads_as`` (the metric that the
        number really is), ``contradictions`` and ``why``.
    """
    n_rows = len(results)
    trust = ["trusted"] * n_rows
    tolerance = [math.nan] * n_rows
    use_value = [float(value) for value in results["value"]]
    reads_as = [str(metric) for metric in results["metric"]]
    found: list[dict[str, dict[str, None]]] = [{} for _ in range(n_rows)]
    for contradiction in contradictions.to_dict("records"):
        selector = {column: str(contradiction[column]) for column in SELECTORS}
        level = _TRUST_OF_VERDICT[str(contradiction["verdict"])]
        concerned = rows_concerned(results, selector).to_numpy().nonzero()[0]
        for row in concerned.tolist():
            trust[row] = max(trust[row], level, key=TRUST_LEVELS.index)
            # fmax, unlike max, gives the number where the other one is NaN.
            tolerance[row] = _fmax(tolerance[row], float(contradiction["tolerance"]))
            if not math.isnan(contradiction["use_value"]):
                use_value[row] = float(contradiction["use_value"])
            reads_as[row] = str(contradiction["reads_as"]) or reads_as[row]
            # A dictionary as an ordered set: one sentence may stand in several contradictions.
            whys = found[row].setdefault(str(contradiction["id"]), {})
            whys[str(contradiction["why"])] = None
    # A tolerance invites a comparison, so rows to avoid have none.
    tolerance = [
        value if level == "loose" else math.nan
        for value, level in zip(tolerance, trust, strict=True)
    ]
    return results.assign(
        trust=trust,
        tolerance=tolerance,
        use_value=use_value,
        reads_as=reads_as,
        contradictions=[" ".join(sorted(ids, key=id_number)) for ids in found],
        why=[_sentences(ids) for ids in found],
    )


def _fmax(first: float, second: float) -> float:
    if math.isnan(first):
        return second
    return first if math.isnan(second) else max(first, second)


def _sentences(whys_by_id: Mapping[str, Iterable[str]]) -> str:
    ordered = sorted(whys_by_id, key=id_number)
    return " ".join(dict.fromkeys(why for name in ordered for why in whys_by_id[name]))
