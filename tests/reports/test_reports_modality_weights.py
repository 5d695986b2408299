"""How much each modality counts in the fusion."""

from __future__ import annotations

from itertools import combinations, pairwise

import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure as Canvas

from mmea_bench.reports import ablation, low_resource, main_table, modality_weights, significance
from mmea_bench.reports.core.document import Document, Missing
from mmea_bench.reports.core.options import ReportOptions
from mmea_bench.reports.core.words import MODALITIES
from mmea_bench.reports.formats.markdown import render_markdown
from mmea_bench.reports.formats.pictures import draw_figure
from mmea_bench.results.core.record import Record
from mmea_bench.results.core.table import tables_of
from tests.reports.analyses_factory import FAILED, notes_of, texts, with_weights
from tests.reports.figure_checks import layout_problems
from tests.reports.reports_factory import make_record


def _document(records: list[Record]) -> Document:
    made = modality_weights.build(tables_of(records), ReportOptions())
    assert isinstance(made, Document)
    return made


def test_weights_are_means_over_repeats_in_the_order_of_modalities() -> None:
    records = [
        with_weights(
            "mclea", {"zebra": 0.1, "image": share, "structure": 0.9 - share}, repeat=repeat
        )
        for repeat, share in ((1, 0.2), (2, 0.4))
    ]
    (table,) = _document(records).tables
    assert [column[1] for column in table.columns] == ["structure", "image", "zebra"]
    image = table.rows[0].cells[1]
    assert (image.mean, image.n) == (pytest.approx(0.3), 2)
    assert image.sd == pytest.approx(0.2 / 2**0.5)


def test_a_modality_that_a_variant_lacks_is_a_gap() -> None:
    records = [
        with_weights("mclea", {"structure": 0.6, "image": 0.4}),
        with_weights("mclea", {"structure": 1.0}, variant="w/o image"),
    ]
    (table,) = _document(records).tables
    assert texts(table)["mclea w/o image", "1"] == ["1.000", "–"]


def test_bars_stand_side_by_side_and_name_their_modality_where_there_is_room() -> None:
    records = [with_weights("eva", {"structure": 0.75, "image": 0.2, "name": 0.05})]
    (figure,) = _document(records).figures
    assert draw_figure(figure, "png").startswith(b"\x89PNG")
    assert layout_problems(figure) == []
    canvas = Canvas(figsize=(figure.width_in, figure.height_in))
    figure.draw(canvas)
    axes = canvas.axes[0]
    assert [patch.get_x() for patch in axes.patches] == pytest.approx([0.0, 0.75, 0.95])  # type: ignore[attr-defined]
    assert [text.get_text() for text in axes.texts] == ["structure .75", "image .20"]
    legend = canvas.legends[0]
    assert [text.get_text() for text in legend.get_texts()] == ["structure", "image", "name"]


def test_more_modalities_than_the_map_has_shades_are_drawn() -> None:
    weights = {f"expert{number}": 1 / 12 for number in range(12)}
    (figure,) = _document([with_weights("poe", weights)]).figures
    assert draw_figure(figure, "pdf").startswith(b"%PDF")
    assert layout_problems(figure) == []


def test_cells_without_weights_are_named_once_and_failures_one_by_one() -> None:
    records = [
        with_weights("eva", {"structure": 1.0}, simulated_features="image"),
        make_record("eva", 0.0, repeat=2, **FAILED),
        make_record("gcn_align", 0.2),
        make_record("gcn_align", 0.2, repeat=2),
    ]
    document = _document(records)
    notes = notes_of(document)
    assert "Without weights of modalities: gcn_align." in notes
    assert "eva 20 % repeat 2 (failed)" in notes
    assert document.tables[0].rows[0].labels[0] == "eva†"
    assert "† with simulated features" in notes


def test_without_weights_there_is_a_sentence() -> None:
    made = modality_weights.build(tables_of([make_record("a", 0.2)]), ReportOptions())
    assert isinstance(made, Missing)


@pytest.mark.parametrize("report", [main_table, ablation, low_resource, significance])
def test_other_reports_do_not_see_weights(report: object) -> None:
    place = [
        {"seed_ratio": ratio, "repeat": repeat, "variant": variant}
        for ratio in (0.2, 0.5)
        for repeat in (1, 2)
        for variant in ("full", "w/o image")
    ]
    plain = [make_record("eva", 0.5, **words) for words in place]
    weighed = [with_weights("eva", {"structure": 0.7, "image": 0.3}, **words) for words in place]
    made = [report.build(tables_of(records), ReportOptions()) for records in (plain, weighed)]  # type: ignore[attr-defined]
    if isinstance(made[0], Missing):
        assert made[0] == made[1]
    else:
        assert render_markdown(made[0]) == render_markdown(made[1])


def test_modalities_have_hues_of_their_own_that_differ_in_grey_side_by_side() -> None:
    colours = [to_rgb(modality_weights._COLOURS[name]) for name in MODALITIES]
    greys = [0.299 * red + 0.587 * green + 0.114 * blue for red, green, blue in colours]
    assert all(abs(first - second) > 0.15 for first, second in pairwise(greys))
    for first, second in combinations(colours, 2):
        assert max(abs(a - b) for a, b in zip(first, second, strict=True)) > 0.25
