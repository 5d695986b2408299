"""What a reader chooses: methods, variants, datasets, names, a title, and some reports alone."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from mmea_bench.bench.planning.load_suite import load_suite
from mmea_bench.bench.running.run_state import note_names
from mmea_bench.datasets.core.errors import UserError
from mmea_bench.reports import main_table
from mmea_bench.reports.core.document import Document
from mmea_bench.reports.core.errors import ReportError
from mmea_bench.reports.core.names import Names, in_words, read_names
from mmea_bench.reports.core.options import ReportOptions
from mmea_bench.reports.core.rows.chosen import chosen_tables
from mmea_bench.reports.core.rows.rivals import competitors, contest
from mmea_bench.reports.making.build import build_reports
from mmea_bench.reports.making.paper_names import paper_names
from mmea_bench.results.core.record import Record
from mmea_bench.results.core.store import ResultStore
from mmea_bench.results.core.table import tables_of
from tests.reports.reports_factory import fill_curves_folder, make_record

RECORDS = [
    make_record("mclea", 0.5),
    make_record("mclea", 0.4, variant="w/o image"),
    make_record("mclea", 0.45, variant="full[epochs=150]"),
    make_record("eva", 0.3, dataset="synthetic[n=1000]"),
]


def _main(records: list[Record], **choices: object) -> Document:
    made = main_table.build(tables_of(records), ReportOptions(csls=0, **choices))  # type: ignore[arg-type]
    assert isinstance(made, Document)
    return made


def write(folder: Path, records: list[Record]) -> None:
    store = ResultStore(folder)
    for record in records:
        store.write(record)


@pytest.mark.parametrize(
    ("choice", "keys"),
    [
        ({"methods": ("eva",)}, 1),
        ({"variants": ("full",)}, 3),
        ({"variants": ("full[epochs=150]",)}, 1),
        ({"datasets": ("synthetic",)}, 1),
        ({"datasets": ("synthetic[n=1000]", "fb15k-db15k"), "methods": ("mclea",)}, 3),
        ({"methods": ("EVA",), "names": Names({"eva": "EVA"})}, 1),
    ],
)
def test_only_what_was_asked_for_is_shown(choice: dict[str, object], keys: int) -> None:
    shown = chosen_tables(tables_of(RECORDS), ReportOptions(**choice))  # type: ignore[arg-type]
    assert len(shown.cells) == keys
    assert set(shown.results["key"]) == set(shown.cells["key"])


@pytest.mark.parametrize(
    ("choice", "sentence"),
    [
        ({"methods": ("mcela",)}, r"has the method 'mcela'\. Did you mean 'mclea'\? There is: eva"),
        ({"datasets": ("dbp15k",)}, "has the dataset 'dbp15k'"),
        ({"reference": "poe"}, "has the reference 'poe'"),
        ({"methods": ("eva",), "datasets": ("fb15k-db15k",)}, "No cell has all that was asked for"),
    ],
)
def test_what_no_cell_has_is_a_sentence(choice: dict[str, object], sentence: str) -> None:
    with pytest.raises(ReportError, match=sentence):
        chosen_tables(tables_of(RECORDS), ReportOptions(**choice))  # type: ignore[arg-type]


def test_inputs_are_crossed_for_a_reference_only() -> None:
    with pytest.raises(ReportError, match="Name it with --reference"):
        ReportOptions(across_inputs=True)


def test_settings_are_spelled_out_and_sizes_stay() -> None:
    assert in_words("full[epochs=150]") == "epochs = 150"
    assert in_words("w/o image[tau=0.1,learning_rate=1]") == (
        "w/o image (tau = 0.1, learning rate = 1)"
    )
    assert in_words("synthetic[n=1000]") == "synthetic (n = 1000)"
    assert in_words("full[modalities=['a', 'b']]") == "modalities = ['a', 'b']"


def test_named_things_have_their_names_in_tables() -> None:
    names = Names(
        {"mclea": "Ours"},
        {"w/o image": "without images", "mclea full[epochs=150]": "short"},
        {"synthetic": "Synth"},
    )
    first, second = _main(RECORDS, names=names).tables[:2]
    assert [row.labels[:2] for row in first.rows] == [
        *(("Ours", "full"), ("Ours", "short"), ("Ours", "without images")),
    ]
    assert second.title.startswith("Synth[n=1000]: ")
    assert names.of("mclea", "w/o image") == "Ours without images"
    assert names.of("mclea", "full") == "Ours"


def test_names_are_read_from_toml(tmp_path: Path) -> None:
    file = tmp_path / "names.toml"
    file.write_text('[methods]\nmclea = "MCLEA (ours)"\n[variants]\n"w/o image" = "-I"\n')
    assert read_names(file).of("mclea", "w/o image") == "MCLEA (ours) -I"
    file.write_text("[method]\n")
    with pytest.raises(ReportError, match=r"unknown table 'method'. Valid: methods, variants"):
        read_names(file)
    file.write_text('[variants]\n"w/o image" = ""\n')
    assert read_names(file).of("mclea", "w/o image") == "mclea"
    for nothing in ("[methods]\nmclea = 3\n", '[methods]\nmclea = " "\n'):
        file.write_text(nothing)
        with pytest.raises(ReportError, match="must map ids to printed names"):
            read_names(file)


def test_latex_prints_no_ids(tmp_path: Path) -> None:
    write(tmp_path, RECORDS)
    build_reports(tmp_path, formats=("tex", "md"))
    files = (tmp_path / "report").glob("*.tex")
    lines = [line for file in files for line in file.read_text().splitlines()]
    text = "\n".join(line for line in lines if not line.startswith("%") and "input{" not in line)
    assert "EVA & full" in text
    assert "MCLEA & epochs = 150" in text
    assert "FB15K-DB15K" in text
    assert "synthetic (n = 1000)" in text
    assert not re.search(r"\bmclea\b|\beva\b|full\{\[|fb15k|synthetic\{\[", text)
    assert "| mclea | full\\[epochs=150\\] |" in (tmp_path / "report/main_table.md").read_text()


def test_the_readers_names_win_over_those_of_papers() -> None:
    names = paper_names(Names({"mclea": "Ours"}), ["mclea", "gcn_align", "image_only"])
    assert [names.method(m) for m in ("mclea", "gcn_align", "image_only")] == [
        *("Ours", "GCN-Align", "image only"),
    ]


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (
            Names({"eva": "Ours", "mclea": "Ours"}),
            r"methods eva and mclea would both be printed as 'Ours'.*--methods\.",
        ),
        (Names({"mclea": "eva"}), "methods eva and mclea would both be printed as 'eva'"),
        (
            Names(variants={"w/o image": ""}),
            r"variants mclea \(full\) and mclea \(w/o image\) would both be printed as 'mclea'",
        ),
        (
            Names(variants={"w/o image": "full"}),
            r"variants mclea \(full\) and mclea \(w/o image\) would both be printed as 'full'",
        ),
        (
            Names({"eva": "mclea w/o image"}),
            r"variants eva \(full\) and mclea \(w/o image\) would both",
        ),
        (
            Names(datasets={"fb15k-db15k": "FB", "synthetic[n=1000]": "FB"}),
            r"datasets fb15k-db15k and synthetic\[n=1000\] would both be printed as 'FB'",
        ),
    ],
)
def test_names_that_would_print_two_things_alike_are_refused(
    tmp_path: Path, names: Names, sentence: str
) -> None:
    write(tmp_path, RECORDS)
    with pytest.raises(ReportError, match=sentence):
        build_reports(tmp_path, formats=("md",), options=ReportOptions(names=names))


def test_equal_names_of_things_that_are_not_shown_together_are_no_matter(tmp_path: Path) -> None:
    write(tmp_path, RECORDS)
    names = Names({"eva": "Ours", "mclea": "Ours"}, {"w/o image": "", "full": "the whole"})
    options = ReportOptions(names=names, methods=("mclea",), variants=("w/o image",))
    build_reports(tmp_path, formats=("md",), options=options)
    assert "| Ours |  |" in (tmp_path / "report/main_table.md").read_text()


def test_two_methods_of_one_papers_name_are_told_apart_by_their_ids(tmp_path: Path) -> None:
    names = paper_names(Names(), ["mclea", "m_clea", "eva"])
    assert [names.method(m) for m in ("mclea", "m_clea", "eva")] == [
        *("MCLEA (mclea)", "MCLEA (m_clea)", "EVA"),
    ]
    write(tmp_path, [make_record("mclea", 0.5), make_record("m_clea", 0.2)])
    build_reports(tmp_path, formats=("tex",))
    assert r"MCLEA (m\_clea)" in (tmp_path / "report/main_table.tex").read_text()


def test_a_name_that_the_reader_chose_stays_beside_the_same_one_of_a_paper() -> None:
    names = paper_names(Names({"mine": "MCLEA"}), ["mclea", "mine"])
    assert [names.method(m) for m in ("mclea", "mine")] == ["MCLEA (mclea)", "MCLEA"]


def test_the_full_method_stands_for_its_method() -> None:
    full, ablation = ("a", "full"), ("a", "w/o image")
    assert competitors([full, ablation, ("a", "full[dim=50]")]) == {full}
    assert competitors([ablation, ("a", "full[dim=50]")]) == {("a", "full[dim=50]")}
    assert competitors([ablation, ("b", "full")]) == {ablation, ("b", "full")}


def test_the_second_best_is_another_method() -> None:
    rows = [("a", "full"), ("a", "w/o image"), ("b", "full")]
    values = [np.array([mean - 0.001, mean + 0.001]) for mean in (0.5, 0.49, 0.3)]
    assert [len(own) for own in contest(rows, values)] == [2, 0, 2]


def test_the_mark_of_the_best_never_means_an_own_ablation() -> None:
    scores = {("a", "full"): 0.5, ("a", "w/o image"): 0.499, ("b", "full"): 0.3}
    records = [
        make_record(method, score + 0.001 * repeat, variant=variant, repeat=repeat)
        for (method, variant), score in scores.items()
        for repeat in (1, 2, 3)
    ]
    table = _main(records, significance=True).tables[0]
    assert [row.cells[0].marks for row in table.rows] == [("•",), (), ()]


def test_a_title_heads_report_and_page(tmp_path: Path) -> None:
    ResultStore(tmp_path).write(make_record("a", 0.2))
    build_reports(tmp_path, options=ReportOptions(title="Ours against all"))
    assert (tmp_path / "report/report.md").read_text().startswith("# Ours against all\n")
    assert "<h1>Ours against all</h1>" in (tmp_path / "report/index.html").read_text()


def test_one_report_made_again_leaves_the_others_in_index_and_page(tmp_path: Path) -> None:
    fill_curves_folder(tmp_path)
    build_reports(tmp_path, formats=("md", "html"))
    report = tmp_path / "report"
    before = (report / "report.md").read_text()
    page = (report / "index.html").read_text()
    names = Names({"mclea": "Ours"})
    build_reports(
        tmp_path, only=["main_table"], formats=("md", "html"), options=ReportOptions(names=names)
    )
    after = (report / "report.md").read_text()
    made = "- **Main results**: [main\\_table.md](main_table.md) <!-- report: main_table -->"
    assert made in after
    kept = "- **Cost**: [cost.md](cost.md){} <!-- report: cost -->"
    assert kept.format("") in before
    assert kept.format(" (kept)") in after
    new_page = (report / "index.html").read_text()
    for name in ("cost", "learning_curves", "main_table"):
        assert new_page.count(f'<section id="report-{name}"') == 1
        assert new_page.count(f'<a href="#report-{name}">') == 1
    assert _section(new_page, "cost") == _section(page, "cost")
    assert "Ours" in _section(new_page, "main_table")
    assert page.count("<dt>sweep</dt>") == new_page.count("<dt>sweep</dt>") == 1
    # Once more: nothing piles up.
    build_reports(tmp_path, only=["main_table"], formats=("md",))
    again = (report / "report.md").read_text()
    assert again == after
    assert "[index.html](index.html)" in again


def _section(page: str, name: str) -> str:
    start = page.index(f'<section id="report-{name}"')
    return page[start : page.index("</section>", start)]


def test_the_names_of_a_suite_are_those_of_its_reports(tmp_path: Path) -> None:
    suite = tmp_path / "mine.toml"
    suite.write_text(
        'methods = ["eva"]\ndatasets = ["synthetic[n=300]"]\n'
        '[names.methods]\neva = "EVA 2021"\n[names.datasets]\nsynthetic = "Synth"\n'
    )
    note_names(tmp_path, load_suite(str(suite)).names)
    ResultStore(tmp_path).write(make_record("eva", 0.3, dataset="synthetic[n=300]"))
    build_reports(tmp_path, formats=("md",))
    text = (tmp_path / "report/main_table.md").read_text()
    assert "| EVA 2021 | full |" in text
    assert "Synth\\[n=300\\]" in text
    suite.write_text('methods = ["eva"]\ndatasets = ["synthetic"]\n[names]\neva = "EVA"\n')
    with pytest.raises(UserError, match="`names` takes the tables methods, variants, datasets"):
        load_suite(str(suite))
