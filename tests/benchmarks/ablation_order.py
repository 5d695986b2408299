"""Order of a method's ablations beside the printed one; writes the tables of ``docs/ablations.md``.

``python tests/benchmarks/ablation_order.py RESULTS ...``, where each RESULTS is a folder of
``bench run`` with the full method and its variants on FB15K-DB15K at 20 % seeds, one schedule for
all. Tables of methods that are measured replace their like.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import pandas as pd

from mmea_bench.results.core.published import read_published

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "ablations.md"
DATASET, SEED_RATIO, METRIC = "fb15k-db15k", 0.2, "hits@1"
HEAD = "| row | Hits@1 | against full | order | printed | against full | order |"
NOT_PRINTED = "-"


def measured(folder: Path) -> pd.DataFrame:
    """Hits@1 of each variant, scored with CSLS 3, with its number of test links and its epochs."""
    rows = pd.read_csv(folder / "results.csv", keep_default_na=False)
    cells = pd.read_csv(folder / "cells.csv")[["key", "epochs", "n_test"]]
    rows = rows[(rows["dataset"] == DATASET) & (rows["seed_ratio"].astype(float) == SEED_RATIO)]
    rows = rows[(rows["metric"] == METRIC) & (rows["direction"] == "src2tgt")]
    rows = rows[(rows["csls"].astype(float) == 3) & (rows["decoder"] == "none")]
    rows = rows.merge(cells, on="key")
    rows["row"] = rows["variant"].str.replace(r"\[.*\]", "", regex=True)
    kept = rows.groupby(["method", "row"], as_index=False)
    return kept.agg(
        value=("value", "mean"),
        n=("value", "size"),
        n_test=("n_test", "first"),
        epochs=("epochs", "first"),
    )


def printed(method: str) -> tuple[str, dict[str, float]]:
    """Where the paper's ablations are printed, and row to Hits@1 with the full method as ``full``.

    They are of the measured place, or of the first other one that the paper has.
    """
    rows = read_published().results
    found = rows[
        (rows["method"].str.lower().str.replace("-", "_") == method) & (rows["metric"] == METRIC)
    ]
    ablated = found[found["variant"].str.contains("w/o|repl", regex=True)]
    is_here = (ablated["dataset"] == DATASET) & (ablated["seed_ratio"].astype(float) == SEED_RATIO)
    places = ablated[is_here] if is_here.any() else ablated
    if places.empty:
        return DATASET, {}
    first = places.iloc[0]
    same = ["source", "table", "dataset", "seed_ratio"]
    found = found[(found[same] == first[same]).all(axis=1)]
    values = {row.variant or "full": float(row.value) for row in found.itertuples()}
    return str(first["dataset"]), values


def places(values: dict[str, float], width: float) -> dict[str, str]:
    """Place of each row, best first; rows within ``width`` of the best of a place share it."""
    ranked = sorted(values, key=lambda row: -values[row])
    found: dict[str, str] = {}
    first = 0
    for position, row in enumerate(ranked):
        if position and values[ranked[first]] - values[row] > width:
            first = position
        tied = sum(abs(values[ranked[first]] - values[other]) <= width for other in ranked[first:])
        found[row] = f"{first + 1}{'=' if tied > 1 else ''}"
    return found


def table(method: str, rows: pd.DataFrame) -> str:
    """The section of one method, printed rows in the order of the paper and ours after them."""
    ours = dict(zip(rows["row"], rows["value"], strict=True))
    where, values = printed(method)
    paper = {row: value for row, value in values.items() if row in ours}
    share = ours["full"]
    width = 2 * math.sqrt(2 * share * (1 - share) / float(rows["n_test"].iloc[0]))
    order, order_printed = places(ours, width), places(paper, 0.0)
    lines = [
        f"## {method}",
        "",
        f"{rows['epochs'].iloc[0]} epochs, {rows['n'].max()} repeat(s). Rows within {width:.3f} "
        "of the best of their place tie (two standard errors between two shares of "
        f"{rows['n_test'].iloc[0]:,} test links)."
        + f" Printed on {where}."
        * (where != DATASET and bool(paper)),
        "",
        HEAD,
        "|---" * HEAD.count(" | ") + "|---|",
    ]
    for row in [*paper, *(row for row in ours if row not in paper)]:
        known = row in paper
        cells = [row, said(ours[row]), drop(ours, row), order[row]]
        cells += [said(paper[row]) if known else NOT_PRINTED]
        cells += [drop(paper, row) if known else NOT_PRINTED]
        cells += [order_printed[row] if known else NOT_PRINTED]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def said(value: float) -> str:
    """A share as the field prints it."""
    return f"{value:.3f}".lstrip("0")


def drop(values: dict[str, float], row: str) -> str:
    """What a row has less than the full method."""
    return NOT_PRINTED if row == "full" else f"{values[row] - values['full']:+.3f}"


def written(document: str, sections: dict[str, str]) -> str:
    """The document with these sections in place of their like."""
    head, *old = document.rstrip().split("\n## ")
    known = {part.split("\n", 1)[0]: "## " + part.rstrip() for part in old} | sections
    return "\n\n".join([head.rstrip(), *(known[method] for method in sorted(known))]) + "\n"


def main() -> None:
    """Puts the tables of all methods in the folders into the document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path, nargs="+")
    sections = {}
    for folder in parser.parse_args().results:
        for method, rows in measured(folder).groupby("method"):
            sections[str(method)] = table(str(method), rows)
            print(sections[str(method)])
    DOCUMENT.write_text(written(DOCUMENT.read_text(encoding="utf-8"), sections), encoding="utf-8")


if __name__ == "__main__":
    main()
