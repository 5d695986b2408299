"""How figures look: nothing cut off, embedded fonts, readable in grey, and equal to baselines.

After an intended change, write the baselines again with
``python -m tests.reports.figures.test_figures`` and look at each of them.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import matplotlib as mpl
import pytest
from matplotlib.figure import Figure as Canvas

from mmea_bench.reports import ablation, low_resource, significance, sweep
from mmea_bench.reports.core.document import Document, Figure
from mmea_bench.reports.core.figures.style import line_styles, put_title
from mmea_bench.reports.core.options import ReportOptions
from mmea_bench.reports.formats.pictures import draw_figure
from mmea_bench.results.core.record import Record
from mmea_bench.results.core.table import tables_of
from tests.reports.figure_checks import layout_problems, picture_distance, small_picture
from tests.reports.reports_factory import make_record
from tests.reports.studies_factory import (
    ablation_records,
    grid_records,
    line_records,
    many_places,
    overridden,
    ratio_records,
)

BASELINE = Path(__file__).parents[1] / "baseline"
# Other rendering of all letters (with hinting) is 5 away, a missing line 7.
TOLERANCE = 6.0

FIGURES: dict[str, tuple[ModuleType, Callable[[], list[Record]]]] = {
    "ablation": (ablation, lambda: ablation_records(2, has_gaps=True)),
    "low_resource": (low_resource, lambda: ratio_records(has_gaps=True)),
    "sweep_lines": (sweep, line_records),
    "sweep_map": (sweep, lambda: grid_records(has_gaps=True)),
    "critical_difference": (significance, many_places),
}


def _figure(report: ModuleType, records: list[Record]) -> Figure:
    made = report.build(tables_of(records), ReportOptions(csls=0))
    assert isinstance(made, Document)
    return made.figures[0]


@pytest.fixture(scope="module")
def figures() -> dict[str, Figure]:
    return {name: _figure(report, records()) for name, (report, records) in FIGURES.items()}


@pytest.mark.parametrize("name", FIGURES)
def test_figure_looks_like_its_baseline(figures: dict[str, Figure], name: str) -> None:
    baseline = (BASELINE / f"{name}.png").read_bytes()
    assert picture_distance(baseline, small_picture(figures[name])) < TOLERANCE


def test_the_tolerance_sees_a_line_that_is_not_there() -> None:
    records = [record for record in ratio_records(has_gaps=True) if record.cell["method"] != "eva"]
    baseline = (BASELINE / "low_resource.png").read_bytes()
    made = small_picture(_figure(low_resource, records))
    assert picture_distance(baseline, made) > TOLERANCE


@pytest.mark.parametrize("name", FIGURES)
def test_no_text_is_cut_off_or_lies_over_another(figures: dict[str, Figure], name: str) -> None:
    assert layout_problems(figures[name]) == []


LONG = "a_method_with_a_rather_long_name"


@pytest.mark.parametrize(
    ("report", "records"),
    [
        (low_resource, [make_record(LONG, r, seed_ratio=r) for r in (0.05, 0.1, 0.15, 0.2, 0.8)]),
        (
            ablation,
            [
                make_record(LONG, 0.5 - 0.2 * place, variant=variant, dataset=dataset)
                for dataset in ("fb15k-yago15k", "synthetic-nmmkg[n=14921]", "dbp15k-zh-en")
                for place, variant in enumerate(("full", "w/o the modality with the longest name"))
            ],
        ),
        (
            sweep,
            [
                overridden(0.4 + 0.01 * x, a_parameter_with_a_long_name=x / 1000, dim=[300, y])
                for x in range(1, 13)
                for y in (100, 200)
            ],
        ),
        (sweep, [overridden(0.4, lr=x) for x in (1e-5, 1e-4, 5e-4, 6e-4, 7e-4, 1e-3, 1.0)]),
        (significance, many_places((LONG, "mclea", *(f"m{n}" for n in range(8))), 4, 1)),
        (significance, many_places(("a", "b", "c"), 3, 1)),
        (
            ablation,
            [
                make_record("mclea", 0.5),
                make_record("mclea", 0.6, variant="w/o image"),
                make_record("mclea", 0.0, variant="w/o text", status="failed", reason="x"),
            ],
        ),
    ],
    ids=[
        *("lines", "bars", "map", "log", "many ranks", "wide critical difference"),
        "bars to one side and none",
    ],
)
def test_long_names_and_many_values_fit_too(report: ModuleType, records: list[Record]) -> None:
    assert layout_problems(_figure(report, records)) == []


@pytest.mark.parametrize("name", FIGURES)
def test_pdf_is_vectors_with_embedded_truetype_fonts(
    figures: dict[str, Figure], name: str, tmp_path: Path
) -> None:
    with mpl.rc_context({"pdf.compression": 0}):
        content = draw_figure.__wrapped__(figures[name], "pdf")  # not to be kept for other tests
    assert b"/Type3" not in content
    assert b"/Subtype /Image" not in content
    assert len(re.findall(rb"/FontFile2", content)) == len(
        re.findall(rb"/Type /FontDescriptor", content)
    )
    if shutil.which("pdffonts") is None:
        return  # the bytes have said it already
    path = tmp_path / "figure.pdf"
    path.write_bytes(content)
    done = subprocess.run(["pdffonts", str(path)], capture_output=True, text=True, check=True)
    rows = done.stdout.splitlines()[2:]
    assert rows
    assert all("TrueType" in row and row.split()[-5] == "yes" for row in rows)


@pytest.mark.parametrize("name", ["ablation", "sweep_map"])
def test_figures_have_equal_bytes_whatever_the_order_of_the_records(
    figures: dict[str, Figure], name: str
) -> None:
    report, records = FIGURES[name]
    again = _figure(report, records()[::-1])
    assert draw_figure(again, "pdf") == draw_figure(figures[name], "pdf")


def test_a_figure_is_drawn_once_for_its_file_and_the_page() -> None:
    drawn = []

    def draw(canvas: Canvas) -> None:
        drawn.append(canvas)
        canvas.add_subplot().plot([1, 2])

    figure = Figure("once", "Once", draw, 3.0, 2.0)
    assert draw_figure(figure, "svg") is draw_figure(figure, "svg")
    assert len(drawn) == 1


def test_a_picture_does_not_depend_on_the_formats_written_before(
    figures: dict[str, Figure],
) -> None:
    first = draw_figure.__wrapped__(figures["ablation"], "pdf")
    draw_figure.__wrapped__(figures["ablation"], "png")
    assert draw_figure.__wrapped__(figures["ablation"], "pdf") == first


def test_methods_differ_without_their_colours() -> None:
    methods = ("mclea", "eva", "meaformer", "loginmea", "clamea", "crossea", "selfmea", "poe")
    styles = line_styles((method, "full") for method in methods)
    assert len({style.marker for style in styles.values()}) == len(methods)


def test_a_method_looks_alike_whoever_stands_beside_it() -> None:
    alone = line_styles([("clip_mmea", "full")])
    crowd = line_styles([(name, "full") for name in ("clip_mmea", "eva", "my_method", "transe")])
    assert alone["clip_mmea", "full"] == crowd["clip_mmea", "full"]


if __name__ == "__main__":
    BASELINE.mkdir(exist_ok=True)
    for file_name, (own_report, own_records) in FIGURES.items():
        picture = small_picture(_figure(own_report, own_records()))
        (BASELINE / f"{file_name}.png").write_bytes(picture)


@pytest.mark.parametrize("height", [0.9, 1.2, 2.4, 6.0])
@pytest.mark.parametrize("n_letters", [10, 20_000])
def test_every_title_leaves_room_for_its_panels(height: float, n_letters: int) -> None:
    canvas = Canvas(figsize=(3.3, height))
    top = put_title(canvas, "word " * (n_letters // 5))
    assert 0.5 < top < 1.0
    (text,) = canvas.texts
    assert text.get_text().endswith("…") == (n_letters == 20_000)
