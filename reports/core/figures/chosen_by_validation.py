"""The setting of a sweep that validation links choose, with what it reaches on test links."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from mmea_bench.reports.core.certain import explained, with_certain
from mmea_bench.reports.core.document import Cell, Row, Table
from mmea_bench.reports.core.names import Names
from mmea_bench.reports.core.rows.comparison import Comparison, metric_style
from mmea_bench.reports.core.swept_points import settings_words
from mmea_bench.reports.core.words import LESS_IS_BETTER, METRIC_NAMES
from mmea_bench.results.core.table import Tables

SHARED_NOTE = "Settings are held against each other over the repeats that all of them have."


def best_validation_scores(tables: Tables) -> Mapping[str, float]:
    """Best validation MRR (mean of both directions) of each cell whose training measured it."""
    curves = tables.curves
    own = curves[
        (curves["links"] == "valid") & (curves["metric"] == "mrr") & (curves["direction"] == "mean")
    ]
    return {str(key): float(value) for key, value in own.groupby("key")["value"].max().items()}


def chosen_table(comparison: Comparison, scores: Mapping[str, float], names: Names) -> Table | None:
    """For each method the setting with the best validation MRR, and its number on test links.

    A sweep that is read off test links reports its luck; this is the number that a sweep may claim.

    Args:
        comparison: A place with its numbers.
        scores: Of ``best_validation_scores``.
        names: How methods are printed.

    Returns:
        The table, or None where no method has two settings that were all validated.
    """
    metric = comparison.metrics[0]
    own = comparison.numbers[comparison.numbers["metric"] == metric]
    own = own.assign(validation=own["key"].map(scores))
    rows = []
    is_cut = False
    for (method, base, way), group in own.groupby(["method", "base", "inference"], sort=True):
        # A variant names all that was set: parameters, and also precision and partitions.
        shared = _of_shared_repeats(group)
        if shared["variant"].nunique() < 2 or group["validation"].isna().any():
            continue
        is_cut |= len(shared) < len(group)
        means = shared.groupby("variant")[["validation", "value"]].mean()
        validation, reached = (
            {str(variant): float(mean) for variant, mean in means[column].items()}
            for column in ("validation", "value")
        )
        n_repeats = shared.groupby("variant")["repeat"].nunique().to_dict()
        chosen = max(validation, key=validation.__getitem__)
        best = min if metric in LESS_IS_BETTER else max
        luckiest = best(reached, key=reached.__getitem__)
        cells = (
            Cell(validation[chosen], n=n_repeats[chosen], style="fraction"),
            *(
                with_certain(
                    Cell(reached[variant], n=n_repeats[variant], style=metric_style(metric)),
                    shared[shared["variant"] == variant],
                )
                for variant in (chosen, luckiest)
            ),
        )
        name = names.of(str(method), str(base)) + (f", {way}" if way else "")
        labels = (name, settings_words(chosen), settings_words(luckiest))
        rows.append(Row(labels, cells))
    if not rows:
        return None
    shown = METRIC_NAMES[metric]
    columns = (("chosen", "validation MRR"), ("chosen", shown), ("best on test", shown))
    return explained(
        Table(
            f"Chosen by validation: {comparison.title}",
            ("method", "setting chosen", "setting best on test"),
            ("setting", "number"),
            columns,
            tuple(rows),
            (SHARED_NOTE,) * is_cut,
        )
    )


def _of_shared_repeats(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of the repeats that every variant has."""
    repeats = [set(own) for _, own in rows.groupby("variant")["repeat"]]
    return rows[rows["repeat"].isin(set.intersection(*repeats))]
