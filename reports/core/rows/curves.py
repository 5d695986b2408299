"""Which points of the learning curves a report shows."""

from __future__ import annotations

import pandas as pd

from mmea_bench.reports.core.options import ReportOptions
from mmea_bench.reports.core.rows.select import choose_csls


def chosen_points(curves: pd.DataFrame, options: ReportOptions) -> pd.DataFrame:
    """One number per cell, epoch and set of links; F1 where pairs were predicted.

    Args:
        curves: Rows of curves.csv with their sections.
        options: Choices of the reader.
    """
    pairs = curves[(curves["inference"] != "") & (curves["metric"] == "f1")]
    ranked = _chosen_ranked(curves[curves["is_ranked"]], options)
    return pd.concat([ranked, pairs]) if len(pairs) else ranked


def _chosen_ranked(curves: pd.DataFrame, options: ReportOptions) -> pd.DataFrame:
    curves = curves[curves["metric"] == options.curve_metric]
    csls = choose_csls(set(curves["csls"]), options.csls)
    curves = curves[curves["csls"] == csls] if csls is not None else curves.iloc[:0]
    # Training is watched in one direction or in the mean, whatever the tables show.
    for direction in (options.direction, "mean", "src2tgt", "tgt2src"):
        chosen = curves[curves["direction"] == direction]
        if len(chosen):
            return chosen.drop_duplicates(["key", "epoch", "links"])
    return curves
