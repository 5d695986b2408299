"""Runs every suite of the papers from start to report with cut epochs; writes a table.

``python tests/benchmarks/paper_suites.py DATA_ROOT --out DIR [--only SUITE ...] [--jobs 2]``. Each
suite runs by the command that a user types, once per setting, with every length of a training at
one epoch, hashed texts where a method reads texts, and 50 of GMN's 1,000 candidates. What is in DIR
counts as done, minutes included, so that it may be stopped and started again. Rows that are
measured replace their like in ``docs/suites.md``.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path

import pandas as pd

from mmea_bench.methods.core.catalogue import get_method

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "suites.md"
PAPERS = ROOT / "bench" / "suites" / "papers"
START, END = "<!-- papers table: start -->", "<!-- papers table: end -->"
HEAD = "| suite | cells | ok | skipped | failed | why | methods without a number | minutes |"
LENGTHS = (
    "epochs",
    "unit_epochs",
    "encoder_epochs",
    "space_epochs",
    "rounds",
    "joint_epochs",
    "stage1_epochs",
    "teacher_epochs",
    "first_epochs",
    "imagining_epochs",
    "tuning_epochs",
    "freeze_epochs",
    "warm_up_epochs",
)
OWN_LENGTHS = {
    "pmf": {"iterative_start": 1, "iterative_epochs": 1},
    "gmn": {"n_candidates": 50},  # scoring them all takes most of an hour
}
"""Stages whose lengths stand for something else in other methods."""
MINUTES = "minutes.json"


def cuts(methods: Sequence[str]) -> Iterator[str]:
    """Changes of the parameters of these methods, as ``bench run --set`` takes them."""
    of_method = {method: get_method(method).configure(method, "full", {}) for method in methods}
    names = {each.name for method in of_method.values() for each in fields(method.params)}
    yield from (f"{name}=1" for name in LENGTHS if name in names)
    for method in of_method:
        own = OWN_LENGTHS.get(method, {})
        yield from (f"{method}.{name}={value}" for name, value in own.items())
    if "text_encoder" in names:
        yield "text_encoder=hashed"


def run(suite: str, data_root: Path, out: Path, jobs: int) -> float:
    """Runs what a suite lacks, makes its report and gives the minutes of all its runs."""
    methods = tomllib.loads((PAPERS / f"{suite}.toml").read_text(encoding="utf-8"))["methods"]
    command = [sys.executable, "-m", "bench", "run", "--suite", f"papers/{suite}"]
    command += ["--repeats", "1", "--jobs", str(jobs), "--data-root", str(data_root)]
    command += ["--out", str(out)]
    for change in cuts(methods):
        command += ["--set", change]
    out.mkdir(parents=True, exist_ok=True)
    clock = out.with_name(f"{suite}.{MINUTES}")
    before = json.loads(clock.read_text()) if clock.exists() else 0.0
    started = time.perf_counter()
    with out.with_name(f"{suite}.log").open("a", encoding="utf-8") as log:
        try:
            subprocess.run(command, cwd=ROOT, stdout=log, stderr=log, check=False)
        finally:
            minutes = before + (time.perf_counter() - started) / 60
            clock.write_text(json.dumps(minutes), encoding="utf-8")
    return minutes


def row(suite: str, out: Path, minutes: float) -> list[str]:
    """Cells of the row of a suite that was run; of reasons their first sentence."""
    cells = pd.read_csv(out / "cells.csv", dtype=str, keep_default_na=False)
    count = Counter(cells["status"])
    reasons = cells.loc[cells["status"] != "ok", "reason"].str.split(r"[;.:] |; ", regex=True)
    reasons = reasons.str[0].str.replace(r" is not below .*", " is not there", regex=True)
    reasons = reasons.value_counts()
    why = "; ".join(f"{n} x {reason}" for reason, n in reasons.items())
    without = set(cells["method"]) - set(cells.loc[cells["status"] == "ok", "method"])
    return [
        suite,
        str(len(cells)),
        str(count["ok"]),
        str(count["skipped"]),
        str(len(cells) - count["ok"] - count["skipped"]),
        why.replace("|", "/") or "-",
        ", ".join(sorted(without)) or "none",
        f"{minutes:.0f}",
    ]


def written(document: str, rows: Mapping[str, list[str]]) -> str:
    """The document with these rows, in the order of their names."""
    before, rest = document.split(START)
    after = rest.split(END)[1]
    lines = [f"| {' | '.join(rows[suite])} |" for suite in sorted(rows)]
    rule = "|---" * HEAD.count(" | ") + "|---|"
    return "\n".join([before + START, HEAD, rule, *lines, END + after])


def rows_of(text: str) -> dict[str, list[str]]:
    """Cells of the table's rows by suite."""
    lines = [line for line in text.split(START)[1].split(END)[0].splitlines() if "|" in line][2:]
    cells = [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines]
    return {each[0]: each for each in cells}


def main() -> None:
    """Runs the suites and puts their rows into the document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data_root", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    suites = arguments.only or sorted(path.stem for path in PAPERS.glob("*.toml"))
    for suite in suites:
        out = arguments.out.resolve() / suite
        minutes = run(suite, arguments.data_root.resolve(), out, arguments.jobs)
        if not (out / "cells.csv").exists():
            print(f"{suite}: no cells, see {out.with_name(f'{suite}.log')}")
            continue
        document = DOCUMENT.read_text(encoding="utf-8")
        rows = rows_of(document) | {suite: row(suite, out, minutes)}
        print(" | ".join(rows[suite]), flush=True)
        DOCUMENT.write_text(written(document, rows), encoding="utf-8")


if __name__ == "__main__":
    main()
