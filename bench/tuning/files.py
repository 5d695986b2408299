"""What a tuning leaves: suites of the tuned and the default settings, and its trials as data."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mmea_bench.bench.tuning.tuner import Budget, Tuned
from mmea_bench.methods.core.base import FULL
from mmea_bench.results.core.disk.files import read_regular, write_atomic

SUMMARY = "tuning.json"
_HASH_DIGITS = 6


def write_files(folder: Path, tuned: Sequence[Tuned], budget: Budget) -> list[Path]:
    """Two suites for each dataset and seed ratio, and the summary.

    Returns:
        The suites, each place's tuned one before its default one.
    """
    written = []
    by_place: dict[tuple[str, float], list[Tuned]] = {}
    for each in tuned:
        if each.best is not None:
            by_place.setdefault((each.cell.dataset, each.cell.seed_ratio), []).append(each)
    words = _file_words(by_place)
    for place, own in by_place.items():
        for kind in ("tuned", "default"):
            path = folder / f"{kind}_{words[place]}.toml"
            write_atomic(path, suite_text(own, kind, budget).encode("utf-8"))
            written.append(path)
    content = json.dumps(summary(tuned, budget), indent=1, default=str)
    write_atomic(folder / SUMMARY, content.encode("utf-8"))
    return written


def results_folder(suite: Path) -> Path:
    """Where a written suite is run.

    Other values get another folder: in one of earlier values ``compare`` would find two settings
    of a method on one side, and could not tell which of them is to be held against the other side.
    """
    values = tomllib.loads(read_regular(suite).decode("utf-8")).get("set")
    if not values:
        return suite.with_suffix("")
    return suite.with_name(f"{suite.stem}_{_digits(json.dumps(values, sort_keys=True))}")


def suite_text(tuned: Sequence[Tuned], kind: str, budget: Budget) -> str:
    """A suite of methods on one dataset, with their tuned values or with the defaults.

    Args:
        tuned: Methods of one dataset and seed ratio.
        kind: ``tuned`` or ``default``.
        budget: What each method had.
    """
    cell = tuned[0].cell
    stop = cell.protocol.stop_metric
    text = [
        f"title = {_toml(f'{kind.capitalize()} settings on {cell.dataset}')}",
        f"description = {_toml(_description(kind, budget))}",
        f"methods = {_toml([each.cell.method for each in tuned])}",
        f"datasets = {_toml([cell.dataset])}",
        f"seed_ratios = {_toml([cell.seed_ratio])}",
        "# The split of the tuning: its test links were not looked at. In other repeats a link may",
        "# be a test link here that was a validation link of the tuning.",
        "repeats = 1",
    ]
    if cell.split == "published":
        text.append('split = "published"')
    variants = {each.cell.method: each.cell.variant for each in tuned}
    text += ["", "[protocol]", 'name = "strict"', f"stop_metric = {_toml(stop)}"]
    text.append(f"csls = {_toml(cell.protocol.csls)}  # stops on the last one")
    if set(variants.values()) != {FULL}:
        text += ["", "[variants]", *(f"{m} = {_toml([v])}" for m, v in variants.items())]
    values = list(_set_lines(tuned, is_tuned=kind == "tuned"))
    if values:
        text += ["", "[set]", *values]
    return "\n".join(text) + "\n"


def _set_lines(tuned: Iterable[Tuned], *, is_tuned: bool) -> Iterator[str]:
    for each in tuned:
        values = {**dict(each.cell.overrides), **(each.overrides if is_tuned else {})}
        for name, value in sorted(values.items()):
            yield f"{_toml(f'{each.cell.method}.{name}')} = {_toml(value)}"


def _description(kind: str, budget: Budget) -> str:
    if kind == "default":
        return "The settings that a tuning started from, on its split."
    return (
        f"The best of {budget.words} per method by the validation links of repeat 1; no test link "
        "was scored."
    )


def _toml(value: object) -> str:
    """A value as TOML; JSON's numbers, texts, lists and truth values are TOML too.

    Letters stand as they are: JSON escapes some of them in pairs, which TOML does not know.
    """
    return json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)


def _file_words(places: Iterable[tuple[str, float]]) -> dict[tuple[str, float], str]:
    """Each dataset and seed ratio to its part of a file name.

    Two folders of one name stay apart; a ratio is named where a dataset has several.
    """
    found: dict[str, str] = {}
    ratios: dict[str, list[float]] = {}
    for dataset, ratio in places:
        ratios.setdefault(dataset, []).append(ratio)
    for dataset in ratios:
        last = dataset.rstrip("/").rpartition("/")[2]
        word = re.sub(r"[^A-Za-z0-9_.+]+", "-", last).strip("-.")
        found[dataset] = f"{word}_{_digits(dataset)}" if word in found.values() else word
    return {
        (dataset, ratio): found[dataset] + f"_{ratio:g}" * (len(own) > 1)
        for dataset, own in ratios.items()
        for ratio in own
    }


def _digits(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_HASH_DIGITS]


def summary(tuned: Sequence[Tuned], budget: Budget) -> dict[str, Any]:
    """Everything that a program may want of a tuning."""
    return {"budget": asdict(budget), "methods": [_method(each) for each in tuned]}


def _method(each: Tuned) -> Mapping[str, Any]:
    default, best = each.default, each.best
    return {
        "method": each.cell.method,
        "variant": each.cell.label,
        "dataset": each.cell.dataset,
        "seed_ratio": each.cell.seed_ratio,
        "metric": each.cell.protocol.stop_metric,
        "space": each.space.origin,
        "default": None if default is None else default.value,
        "tuned": None if best is None else best.value,
        "overrides": each.overrides,
        "seconds": sum(trial.seconds for trial in each.trials),
        "is_complete": each.is_complete,
        "simulated_features": each.simulated,
        "trials": [asdict(trial) for trial in each.trials],
    }
