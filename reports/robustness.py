"""Robustness: a metric over the strength of a transform, and the area below."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

import numpy as np
import pandas as pd

from mmea_bench.reports.core.document import Block, Cell, Document, Figure, Missing, Row, Table
from mmea_bench.reports.core.drawing import Canvas
from mmea_bench.reports.core.figures.lines import (
    draw_lines,
    lines_height,
    lines_width,
    method_names,
    under_short_names,
)
from mmea_bench.reports.core.names import Names
from mmea_bench.reports.core.options import ReportOptions
from mmea_bench.reports.core.rows.comparison import (
    mark_notes,
    metric_style,
    repeat_cell,
    shown_numbers,
    slug_of,
)
from mmea_bench.reports.core.rows.gaps import gap_notes, left_out
from mmea_bench.reports.core.rows.select import PUBLISHED, files_version, percent
from mmea_bench.reports.core.words import METRIC_NAMES
from mmea_bench.results.core.schema import DANGLING_METRICS
from mmea_bench.results.core.table import Tables

NAME = "robustness"
_HEIGHT_IN = 2.4
PLAIN_VALUES: Mapping[str, float] = MappingProxyType(
    {
        "attribute_ratio": 1.0,
        "dangling": 0.0,
        "image_noise": 0.0,
        "image_ratio": 1.0,
        "name_noise": 0.0,
        "part": 1.0,
        "seed_noise": 0.0,
    }
)
"""Each transform with a strength, and the value at which its dataset is the plain one."""

_PLACE = ["protocol", "rules", "base_dataset", "seed_ratio", "is_published"]
"""What the points of a curve share; that of ``is_published`` is the kind of split."""

_ALIKE = " with the same split, seed ratio and rules"
_MOST_LISTED = 6


def build(tables: Tables, options: ReportOptions) -> Document | Missing:
    """A figure and a table for each transform of a dataset with two or more of its values."""
    numbers = shown_numbers(tables, options)
    numbers = numbers[numbers["modality"] == ""]
    unclear = _of_several_versions(numbers)
    usable = numbers[~numbers["dataset"].isin(unclear)]
    curves = list(_curves(usable, options))
    alone = tuple(_alone_notes(usable, curves, options))
    gaps = gap_notes(tables, options, numbers)
    if not curves:
        reason = "No dataset was run at two or more values of a transform such as image_ratio"
        return left_out(" ".join([f"{reason}{_ALIKE if alone else ''}.", *alone]), gaps)
    blocks: list[Block] = [block for curve in curves for block in (_figure(curve), _table(curve))]
    notes = (
        "Lines: means; bands: 95 % intervals over repeats, none for a single one; dotted: across "
        "a value without a number.",
        "Area: of the curve by trapezoids, divided by the range of its values: the mean height.",
        *(f"{name} was run in several versions and is left out." for name in unclear),
        *alone,
        *mark_notes(pd.concat([curve.points for curve in curves])),
        *gaps,
    )
    return Document(NAME, "Robustness", tuple(blocks), notes)


@dataclass(frozen=True, eq=False)
class _Curve:
    """Numbers of one metric over the values of one transform.

    Attributes:
        transform: What changes.
        title: The transform and the place.
        metric: What is shown.
        points: Rows of ``shown_numbers`` with columns ``x`` and ``name``.
        names: How methods are printed.
    """

    transform: str
    title: str
    metric: str
    points: pd.DataFrame
    names: Names


def split_transform(address: str, transform: str) -> tuple[str, float]:
    """The address without a transform, and its value there, or that of the plain dataset.

    Args:
        address: Such as ``fb15k-db15k[image_ratio=0.4]``.
        transform: One of ``PLAIN_VALUES``.
    """
    name, bracket, inner = address.removesuffix("]").rpartition("[")
    if not bracket or not address.endswith("]"):
        return address, PLAIN_VALUES[transform]
    options = dict(part.partition("=")[::2] for part in inner.split(","))
    value = float(options.pop(transform, PLAIN_VALUES[transform]))
    rest = ",".join(f"{key}={text}" for key, text in options.items())
    return (f"{name}[{rest}]" if rest else name), value


def area(xs: list[float], ys: list[float]) -> float:
    """Mean height of a curve: its trapezoids, divided by the range of ascending ``xs``."""
    return float(np.trapezoid(ys, xs) / (xs[-1] - xs[0]))


def _of_several_versions(numbers: pd.DataFrame) -> list[str]:
    """Datasets of which no single content was measured."""
    n_versions = files_version(numbers["dataset_version"]).groupby(numbers["dataset"]).nunique()
    return [str(name) for name in n_versions.index[n_versions > 1]]


def _curves(numbers: pd.DataFrame, options: ReportOptions) -> Iterator[_Curve]:
    usual_rules = _usual_rules(numbers)
    for transform in PLAIN_VALUES:
        own = _placed(numbers, transform)
        for key, group in own.groupby(_PLACE, sort=True):
            title = f"{transform}: {_place_words(key, usual_rules, options.names)}"
            for metric in _shown_metrics(set(group["metric"]), options):
                points = group[group["metric"] == metric]
                if points["x"].nunique() < 2:
                    continue
                points = points.assign(name=method_names(points, options.names))
                own_title = title + f", {METRIC_NAMES[metric]}" * (metric in DANGLING_METRICS)
                yield _Curve(transform, own_title, metric, points, options.names)


def _placed(numbers: pd.DataFrame, transform: str) -> pd.DataFrame:
    """The rows with the columns of ``_PLACE``, and ``x``, the value of a transform."""
    split = [split_transform(str(address), transform) for address in numbers["dataset"]]
    return numbers.assign(
        base_dataset=[base for base, _ in split],
        x=[value for _, value in split],
        is_published=numbers["dataset_version"].str.endswith(PUBLISHED),
    )


def _place_words(place: Iterable[object], usual_rules: str, names: Names) -> str:
    """Printed place, of values as ``_PLACE`` names them; rules show where they are unusual."""
    protocol, rules, dataset, ratio, is_published = place
    words = [names.dataset(str(dataset)), *["published split"] * bool(is_published)]
    words += [f"{percent(float(str(ratio)))} seeds", f"{protocol} protocol"]
    return ", ".join([*words, *[str(rules)] * (rules != usual_rules)])


def _usual_rules(numbers: pd.DataFrame) -> str:
    return "" if numbers.empty else str(numbers["rules"].mode().iloc[0])


def _alone_notes(
    numbers: pd.DataFrame, curves: Sequence[_Curve], options: ReportOptions
) -> Iterator[str]:
    """A sentence for each transform on what would be a point of a curve if places were alike."""
    for transform in PLAIN_VALUES:
        own = _placed(numbers, transform)
        own = own[own["metric"].isin(_shown_metrics(set(own["metric"]), options))]
        n_values = own.groupby(["base_dataset", "metric"])["x"].transform("nunique")
        drawn = [curve.points.index for curve in curves if curve.transform == transform]
        is_drawn = own.index.isin([row for index in drawn for row in index])
        alone = own[(n_values > 1) & ~is_drawn]
        if alone.empty:
            continue
        places = alone.assign(base_dataset=alone["dataset"])[_PLACE].drop_duplicates()
        listed = sorted(
            _place_words(place, _usual_rules(numbers), options.names)
            for place in places.itertuples(index=False)
        )
        more = f"; and {len(listed) - _MOST_LISTED} more" if len(listed) > _MOST_LISTED else ""
        yield (
            f"In no curve of {transform}, for there is no other value{_ALIKE}: "
            f"{'; '.join(listed[:_MOST_LISTED])}{more}."
        )


def _shown_metrics(found: set[str], options: ReportOptions) -> list[str]:
    """The first metric that was asked for, and all of those on dangling entities."""
    asked = [name for name in options.metrics if name in found]
    return [name for place, name in enumerate(asked) if not place or name in DANGLING_METRICS]


def _figure(curve: _Curve) -> Figure:
    points, notes = under_short_names(curve.points, curve.names)
    draw = partial(_draw, curve=curve, points=points)
    size = lines_width(points["name"]), lines_height(points["name"], _HEIGHT_IN)
    return Figure(slug_of(curve.title), curve.title, draw, *size, notes)


def _draw(canvas: Canvas, curve: _Curve, points: pd.DataFrame) -> None:
    axes = draw_lines(canvas, points, curve.title)
    axes.set_xlabel(curve.transform)
    axes.set_ylabel(METRIC_NAMES[curve.metric])


def _table(curve: _Curve) -> Table:
    style = metric_style(curve.metric)
    xs = sorted(set(curve.points["x"]))
    rows, notes = [], []
    for name, own in curve.points.groupby("name", sort=True):
        by_repeat = own.pivot_table(index="repeat", columns="x", values="value").reindex(columns=xs)
        cells = [repeat_cell(by_repeat[x].dropna(), style) for x in xs]
        whole = by_repeat.dropna()
        areas = pd.Series([area(xs, list(ys)) for ys in whole.to_numpy()], dtype=float)
        cells.append(repeat_cell(areas, style) if len(areas) else Cell())
        if by_repeat.notna().any().sum() < 2:
            notes.append(f"{name}: one value alone, which is no curve.")
        elif not len(areas):
            notes.append(f"{name}: no area, for no repeat has all values.")
        rows.append(Row((str(name),), tuple(cells)))
    columns = [(METRIC_NAMES[curve.metric], f"{curve.transform}={x:g}") for x in xs]
    columns.append((METRIC_NAMES[curve.metric], "area"))
    return Table(
        curve.title, ("method",), ("metric", "value"), tuple(columns), tuple(rows), tuple(notes)
    )
