from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D
from scipy import stats

from mmea_bench.reports import learning_curves
from mmea_bench.reports.core.document import Document, Missing
from mmea_bench.reports.core.figures.style import line_styles, spread
from mmea_bench.reports.core.options import ReportOptions
from mmea_bench.reports.formats.pictures import draw_figure
from mmea_bench.results.core.record import Record
from mmea_bench.results.core.table import tables_of
from tests.reports.analyses_factory import with_curves
from tests.reports.figure_checks import layout_problems
from tests.reports.reports_factory import make_record, own_numbers
from tests.reports.studies_factory import PAIR_SCORING


def _document(records: list[Record]) -> Document:
    made = learning_curves.build(tables_of(records), ReportOptions())
    assert isinstance(made, Document)
    return made


def test_one_figure_per_protocol_dataset_and_ratio() -> None:
    records = [
        make_record("a", 0.2, n_points=3),
        make_record("a", 0.2, n_points=3, seed_ratio=0.5),
        make_record("a", 0.2, n_points=3, protocol="paper"),
    ]
    assert [figure.name for figure in _document(records).figures] == [
        "fb15k-db15k-20-paper",
        "fb15k-db15k-20-strict",
        "fb15k-db15k-50-strict",
    ]


def _drawn(records: list[Record]) -> Canvas:
    (figure,) = _document(records).figures
    canvas = Canvas(figsize=(figure.width_in, figure.height_in))
    figure.draw(canvas)
    return canvas


def _lines(canvas: Canvas, dashes: str) -> list[Line2D]:
    axes = canvas.axes[0]
    return [
        line
        for line in axes.lines
        if line.get_linestyle() == dashes and line.get_transform() == axes.transData
    ]


def _at(record: Record, epoch: int) -> float:
    return float(
        next(
            row["value"]
            for row in record.curves
            if row["epoch"] == epoch and row["links"] == "valid"
        )
    )


UNEQUAL = [
    make_record("a", 0.2, n_points=4, best_epoch=40),
    make_record("a", 0.4, n_points=3, repeat=2, best_epoch=20),
]


def test_line_is_the_mean_over_repeats_up_to_the_last_common_epoch() -> None:
    canvas = _drawn(UNEQUAL)
    (valid_line,), (_test_line,) = _lines(canvas, "-"), _lines(canvas, "--")
    assert list(valid_line.get_xdata()) == [10.0, 20.0, 30.0]
    first = sum(_at(record, 10) for record in UNEQUAL) / 2
    assert valid_line.get_ydata()[0] == pytest.approx(first)  # type: ignore[index]


def test_the_line_goes_on_dotted_where_some_repeats_did() -> None:
    dotted = _lines(_drawn(UNEQUAL), ":")[-1]
    assert list(dotted.get_xdata()) == [30.0, 40.0]
    assert dotted.get_ydata()[1] == pytest.approx(_at(UNEQUAL[0], 40))  # type: ignore[index]


def test_chosen_epochs_are_stars_on_the_drawn_line() -> None:
    canvas = _drawn(UNEQUAL)
    (stars,) = [
        line for line in canvas.axes[0].lines if line.get_marker() == "*" and len(line.get_xdata())
    ]  # type: ignore[arg-type]
    drawn = {
        x: y
        for line in (*_lines(canvas, "-"), _lines(canvas, ":")[-1])
        for x, y in np.asarray(line.get_xydata())
    }
    places = dict(np.asarray(stars.get_xydata()).tolist())
    assert set(places) == {20.0, 40.0}
    assert places == pytest.approx({x: drawn[x] for x in places})


def test_bands_are_students_intervals_within_what_is_possible() -> None:
    records = [make_record("a", score, n_points=2, repeat=r) for r, score in ((1, 0.1), (2, 0.6))]
    (band,) = _drawn(records).axes[0].collections
    corners = band.get_paths()[0].vertices
    low, high = corners[:, 1].min(), corners[:, 1].max()
    assert low == 0.0  # the interval of two values far apart passes below it
    assert high <= 1.0
    alike = [make_record("a", score, n_points=1, repeat=r) for r, score in ((1, 0.5), (2, 0.52))]
    (band,) = _drawn(alike).axes[0].collections
    values = np.array([_at(record, 10) for record in alike])
    half = stats.t.ppf(0.975, 1) * values.std(ddof=1) / np.sqrt(2)
    heights = band.get_paths()[0].vertices[:, 1]
    assert heights.max() == pytest.approx(values.mean() + half)
    assert heights.min() == pytest.approx(values.mean() - half)


@pytest.mark.parametrize("n_points", [1, 2, 30])
def test_few_points_and_lost_losses_are_drawn_without_warnings(
    n_points: int, recwarn: pytest.WarningsRecorder
) -> None:
    record = make_record("a$_b", 0.2, n_points=n_points)
    curves = [{**row, "loss": None} for row in record.curves]
    figure = _document([Record.of(record.cell, record.results, curves)]).figures[0]
    assert draw_figure(figure, "png").startswith(b"\x89PNG")
    assert [str(warning.message) for warning in recwarn] == []


def test_pictures_have_equal_bytes_and_embedded_fonts() -> None:
    records = [make_record(name, 0.3, n_points=5) for name in ("a", "b")]
    for suffix in ("png", "pdf"):
        drawn = [draw_figure(_document(records[::step]).figures[0], suffix) for step in (1, -1)]
        assert drawn[0] == drawn[1]
        assert b"CreationDate" not in drawn[0]
    assert b"/Type3" not in drawn[0]
    assert b"/FontFile2" in drawn[0]


def test_without_curves_there_is_a_sentence() -> None:
    empty = learning_curves.build(tables_of([make_record("a", 0.2)]), ReportOptions())
    assert isinstance(empty, Missing)
    assert "no curves to draw" in empty.reason
    other = learning_curves.build(
        tables_of([make_record("a", 0.2, n_points=2)]), ReportOptions(curve_metric="hits@1")
    )
    assert other == Missing("No curve has the metric hits@1.")


def test_a_method_keeps_its_look_and_variants_share_the_colour() -> None:
    alone = line_styles([("mclea", "full")])
    among = line_styles([("mclea", "full"), ("mclea", "w/o image"), ("eva", "full")])
    assert alone["mclea", "full"] == among["mclea", "full"]
    assert among["mclea", "w/o image"].colour == among["mclea", "full"].colour
    assert not among["mclea", "w/o image"].is_filled
    many = line_styles([(f"m{number}", "full") for number in range(7)])
    assert len({style.colour for style in many.values()}) == 7
    # More methods than colours still look different from each other.
    assert len(set(line_styles([(f"m{number}", "full") for number in range(49)]).values())) == 49


def test_labels_are_moved_apart() -> None:
    assert spread([0.2, 0.8], 0.1) == [0.2, 0.8]
    assert spread([0.5, 0.5, 0.9], 0.1) == pytest.approx([0.45, 0.55, 0.9])
    assert spread([0.0, 0.0], 0.1) == pytest.approx([0.0, 0.1])
    assert spread([1.0, 1.0], 0.1) == pytest.approx([0.9, 1.0])
    assert spread([], 0.1) == []


def test_predicted_pairs_are_drawn_by_their_f1() -> None:
    ranked, pairs = make_record("a", 0.2, n_points=3), make_record("b", 0.3, dataset="nmmea")
    words = {**PAIR_SCORING, "inference": "two-thresholds"}
    own = ("epoch", "loss", "links", "value")
    points = [
        {
            **{name: row[name] for name in own},
            **words,
            "metric": "f1",
            "direction": "pairs",
        }
        for row in ranked.curves
    ]
    document = _document([ranked, Record.of(pairs.cell, own_numbers(pairs), points)])
    assert [figure.name for figure in document.figures] == [
        "fb15k-db15k-20-strict",
        "nmmea-20-strict",
    ]
    canvas = Canvas()
    document.figures[1].draw(canvas)
    assert canvas.axes[0].get_ylabel() == "F1"


def test_failed_cells_and_methods_without_curves_are_named() -> None:
    document = _document(
        [
            make_record("a", 0.2, n_points=3, simulated_features="image"),
            make_record("a", 0.0, repeat=2, status="timeout", reason="longer than 60 s"),
            make_record("image_only", 0.3),
        ]
    )
    notes = " ".join(document.notes)
    assert "Without an evaluation while training: image_only." in notes
    assert "(timeout)" in notes
    canvas = Canvas()
    document.figures[0].draw(canvas)
    assert "a†" in [text.get_text() for text in canvas.axes[0].texts]
    assert "† with simulated features" in notes


@pytest.mark.parametrize("losses", [(3.0, 2.0), (5000.0, 2.0), (5000.0, -2.0)])
def test_losses_of_several_methods_have_a_scale_of_their_own_each(
    losses: tuple[float, float],
) -> None:
    records = [
        with_curves(name, [0.2, 0.5], losses=[loss, 0.9 * loss])
        for name, loss in zip("ab", losses, strict=True)
    ]
    (figure,) = _document(records).figures
    assert layout_problems(figure) == []
    bottom = _drawn(records).axes[1]
    for line in bottom.lines:
        assert sorted(line.get_ydata()) == [0.0, 1.0]  # type: ignore[arg-type]
    assert bottom.get_ylabel() == "Loss, scaled"
    assert _drawn(records[:1]).axes[1].get_ylabel() == "Loss"


def test_seven_settings_of_one_method_can_be_told_apart() -> None:
    found = line_styles([("mclea", f"full[tau={number}]") for number in range(7)])
    assert len({style.colour for style in found.values()}) == 7
    assert len({style.marker for style in found.values()}) == 7


def test_small_numbers_have_room_for_their_ticks() -> None:
    records = [with_curves("a", [0.0001, 0.0004], losses=[2.0, 1.0])]
    (figure,) = _document(records).figures
    assert layout_problems(figure) == []


def test_curves_among_other_candidates_have_a_figure_of_their_own() -> None:
    among_test = with_curves("a", [0.2, 0.4])
    others = {"candidates": "unseeded"}
    key = {"key": "among-all"}
    among_all = Record.of(
        {**among_test.cell, **key},
        own_numbers(among_test, **others),
        [{**point, **others, **key} for point in among_test.curves],
    )
    figures = _document([among_test, among_all]).figures
    assert [figure.title.rpartition(", ")[2] for figure in figures] == [
        "candidates=test ties=realistic",
        "candidates=unseeded ties=realistic",
    ]


def test_datasets_in_any_script_have_files_of_their_own() -> None:
    datasets = ("数据一", "数据二", "x" * 300)
    records = [
        with_curves("a", [0.2], dataset=dataset, key=f"key-{number}")
        for number, dataset in enumerate(datasets)
    ]
    names = [figure.name for figure in _document(records).figures]
    assert len(set(names)) == len(datasets)
    assert max(len(name.encode()) for name in names) < 160
