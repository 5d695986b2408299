"""Two sides of made-up results: what is paired, what is not and why, what changed."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mmea_bench.reports.core.comparing.document import comparing_document, summary
from mmea_bench.reports.core.comparing.result import Comparing, compare
from mmea_bench.reports.core.comparing.sides import read_sides
from mmea_bench.reports.core.options import ReportOptions
from mmea_bench.results.core.errors import ResultsError
from mmea_bench.results.core.record import Record
from mmea_bench.results.core.store import ResultStore
from tests.reports.reports_factory import make_record, own_numbers

OPTIONS = ReportOptions(metrics=("hits@1",))
NOISE = (0.0, 0.02, -0.01, 0.01)


def write(folder: Path, records: Iterable[Record]) -> Path:
    store = ResultStore(folder)
    for record in records:
        store.write(record)
    return folder


def repeats(
    method: str, score: float, wiggle: Iterable[float] = NOISE, **more: Any
) -> list[Record]:
    """One record for each repeat, its score moved by noise that both sides of a pair share."""
    found = []
    for number, own in enumerate(wiggle, 1):
        key = f"{method}-{more.get('variant', 'full')[:4]}-{more.get('git_commit', '')}-{number}"
        words = {"key": "".join(c if c.isalnum() else "-" for c in key), **more}
        found.append(make_record(method, score + own, repeat=number, split_seed=number, **words))
    return found


def folders(tmp_path: Path, before: list[Record], after: list[Record]) -> list[Path]:
    return [write(tmp_path / "before", before), write(tmp_path / "after", after)]


def compared(paths: list[Path], despite: tuple[str, ...] = ()) -> Comparing:
    return compare(read_sides(paths), OPTIONS, despite)


def configured(records: list[Record], **parameters: object) -> list[Record]:
    return [replace(each, configuration={"parameters": parameters}) for each in records]


def test_interpretations_are_named_below_the_differences(tmp_path: Path) -> None:
    paths = folders(tmp_path, repeats("naea", 0.3), repeats("naea", 0.4))
    found = compared(paths)
    (sentence,) = found.interpretations
    assert sentence.endswith(": naea.")
    assert sentence in found.as_json()["notes"]
    blocks = comparing_document(found).blocks
    assert any(sentence in getattr(block, "notes", ()) for block in blocks)


def test_a_clear_gain_and_a_clear_loss_are_told_apart(tmp_path: Path) -> None:
    uneven = [own + extra for own, extra in zip(NOISE, (0.001, 0, 0.002, 0), strict=True)]
    paths = folders(
        tmp_path,
        repeats("eva", 0.3) + repeats("mclea", 0.5),
        repeats("eva", 0.4, uneven) + repeats("mclea", 0.4, uneven),
    )
    found = compared(paths)
    verdicts = {each.name: each.verdict for each in found.differences}
    assert verdicts == {"eva": "better", "mclea": "worse"}
    assert found.exit_code == 1
    assert compared(paths[::-1]).n_worse == 1


def test_noise_shows_no_difference_and_says_what_could_have_been_shown(tmp_path: Path) -> None:
    other = (0.02, -0.01, 0.01, 0.0)
    found = compared(folders(tmp_path, repeats("eva", 0.3), repeats("eva", 0.3, other)))
    difference = found.differences[0]
    assert difference.verdict == "no difference shown"
    assert difference.repeats == (1, 2, 3, 4)
    assert difference.paired.smallest is not None
    assert difference.paired.smallest > 0.02
    assert found.exit_code == 0


def test_p_values_are_corrected_over_the_cells_of_a_metric(tmp_path: Path) -> None:
    other = (0.02, 0.03, 0.01, 0.02)
    names = ("eva", "mclea", "seu")
    before = [record for name in names for record in repeats(name, 0.3)]
    after = [record for name in names for record in repeats(name, 0.3, other)]
    found = compared(folders(tmp_path, before, after)).differences
    assert [each.corrected_p for each in found] == pytest.approx(
        [3 * (each.paired.p_value or 0) for each in found]
    )


def test_a_larger_mean_rank_is_worse(tmp_path: Path) -> None:
    uneven = [own - 0.1 + 0.001 * place for place, own in enumerate(NOISE)]
    paths = folders(tmp_path, repeats("eva", 0.5), repeats("eva", 0.5, uneven))
    found = compare(read_sides(paths), ReportOptions(metrics=("mean_rank",)))
    assert found.differences[0].paired.difference > 0
    assert found.differences[0].verdict == "worse"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"names": "yes"}, "names read no; after has yes"),
        ({"iterative": "yes"}, "pseudo-labels learned no; after has yes"),
        ({"simulated_features": "image"}, "simulated features none; after has image"),
        ({"protocol": "paper"}, "protocol strict; after has paper"),
        (
            {"dataset_version": "bbbbbbbbbbbb"},
            "content of the dataset aaaaaaaaaaaa; after has bbbbbbbbbbbb",
        ),
        ({"seed_ratio": 0.5}, "seed ratio 20 %; after has 50 %"),
        ({"variant": "w/o image"}, "variant full; after has w/o image"),
    ],
)
def test_unlike_cells_are_no_pair_and_the_reason_is_said(
    tmp_path: Path, change: dict[str, Any], why: str
) -> None:
    after = repeats("eva", 0.4, **change) + repeats("mclea", 0.4)
    found = compared(folders(tmp_path, repeats("eva", 0.4) + repeats("mclea", 0.4), after))
    assert [each.name for each in found.differences] == ["mclea"]
    lonely = [each for each in found.unpaired if each.side == "before"]
    assert [(each.method, each.repeats, each.why) for each in lonely] == [
        ("eva", (1, 2, 3, 4), why)
    ]


def test_protocols_of_other_settings_are_other_protocols(tmp_path: Path) -> None:
    five, ten = (json.dumps({"patience": n}) for n in (5, 10))
    paths = folders(
        tmp_path,
        repeats("eva", 0.4, protocol_settings=five),
        repeats("eva", 0.4, protocol_settings=ten),
    )
    assert compared(paths).differences == ()
    found = compared(paths, ("protocol",))
    assert len(found.differences) == 1
    assert [(each.what, each.name, each.first, each.second) for each in found.changes.found] == [
        ("protocol setting", "patience", "5", "10")
    ]


def test_other_content_is_compared_on_request(tmp_path: Path) -> None:
    after = repeats("eva", 0.4, dataset_version="bbbbbbbbbbbb")
    found = compared(folders(tmp_path, repeats("eva", 0.4), after), ("data",))
    assert [each.paired.n for each in found.differences] == [4]
    assert ("content of the dataset", "fb15k-db15k") in [
        (each.what, each.name) for each in found.changes.found
    ]


def test_repeats_of_one_side_and_failed_cells_are_listed(tmp_path: Path) -> None:
    failed = make_record("eva", 0, repeat=9, status="failed", reason="ValueError: no luck\nmore")
    before = repeats("eva", 0.4)
    found = compared(folders(tmp_path, before, [*before[:2], failed]))
    assert found.differences[0].repeats == (1, 2)
    assert [(each.side, each.repeats, each.why) for each in found.unpaired] == [
        ("before", (3, 4), "after has no such repeat, only 1, 2"),
        ("after", (9,), "failed: ValueError: no luck"),
    ]


def decoded(records: list[Record]) -> list[Record]:
    """The records with the numbers of a decoder beside their own."""
    return [
        Record.of(
            each.cell,
            [
                *own_numbers(each),
                *(
                    {**number, "csls": 0, "decoder": "sinkhorn"}
                    for number in own_numbers(each)
                    if number["csls"] == 3
                ),
            ],
        )
        for each in records
    ]


def test_decoded_numbers_of_one_side_are_listed(tmp_path: Path) -> None:
    records = repeats("eva", 0.4)
    found = compared(folders(tmp_path, decoded(records), records))
    assert [each.paired.n for each in found.differences] == [4]
    usual = "candidates=test ties=realistic"
    assert [(each.side, each.repeats, each.why, each.is_part) for each in found.unpaired] == [
        (
            *("before", (1, 2, 3, 4)),
            *(f"way of scoring {usual} decoder=sinkhorn; after has {usual}", True),
        )
    ]
    assert summary(found).endswith("4 cells have numbers without a partner.")


def test_a_metric_of_one_side_is_listed(tmp_path: Path) -> None:
    records = repeats("eva", 0.4)
    less = [
        Record.of(each.cell, [n for n in own_numbers(each) if n["metric"] != "mrr"])
        for each in records
    ]
    options = ReportOptions(metrics=("hits@1", "mrr"))
    found = compare(read_sides(folders(tmp_path, records, less)), options)
    assert [(each.side, each.repeats, each.why) for each in found.unpaired] == [
        ("before", (1, 2, 3, 4), "metric MRR; after has Hits@1")
    ]


def test_a_method_without_the_csls_size_that_is_compared_is_listed(tmp_path: Path) -> None:
    records = repeats("eva", 0.4, all_csls=(0,)) + repeats("mclea", 0.5)
    found = compared(folders(tmp_path, records, records))
    assert [each.name for each in found.differences] == ["mclea"]
    assert [(each.side, each.method, each.repeats, each.why) for each in found.unpaired] == [
        (side, "eva", (1, 2, 3, 4), "scored with csls=0 only; csls=3 is compared")
        for side in ("before", "after")
    ]


def test_a_cell_without_the_metrics_that_are_compared_is_listed(tmp_path: Path) -> None:
    eva, mclea = repeats("eva", 0.4), repeats("mclea", 0.5)
    others = [
        Record.of(each.cell, [n for n in own_numbers(each) if n["metric"] == "mrr"]) for each in eva
    ]
    found = compared(folders(tmp_path, [*others, *mclea], mclea))
    assert [(each.side, each.method, each.why) for each in found.unpaired] == [
        ("before", "eva", "no number in the metrics and the direction that are compared")
    ]


def test_a_failed_cell_that_was_run_again_and_ended_ok_is_not_listed(tmp_path: Path) -> None:
    records = repeats("eva", 0.4)
    failed = {"status": "failed", "reason": "crash", "finished_at": "2025-01-01T00:00:00Z"}
    old = make_record("eva", 0, repeat=2, key="old", **failed)
    assert compared(folders(tmp_path, records, [*records, old])).unpaired == ()


def test_another_split_in_the_same_repeat_is_no_pair(tmp_path: Path) -> None:
    after = [
        make_record("eva", 0.4, repeat=number, split_seed=90 + number) for number in range(1, 4)
    ]
    found = compared(folders(tmp_path, repeats("eva", 0.4), after))
    assert found.differences == ()
    assert found.unpaired[0].why == "after has another split in this repeat"


def test_tuned_overrides_are_held_against_the_defaults(tmp_path: Path) -> None:
    """Where each side has one setting of a variant, the settings are what changed."""
    tuned = repeats("eva", 0.5, variant="full[margin=0.5]", overrides='{"margin": 0.5}')
    found = compared(folders(tmp_path, repeats("eva", 0.4), tuned))
    assert [each.name for each in found.differences] == ["eva"]
    assert [(each.what, each.name, each.second) for each in found.changes.found] == [
        ("override", "eva.margin", "0.5")
    ]


def test_points_of_a_sweep_keep_to_their_like(tmp_path: Path) -> None:
    points = [
        record
        for value in (1, 2)
        for record in repeats(
            "eva",
            0.4,
            variant=f"full[margin={value}]",
            overrides=json.dumps({"margin": value}),
            git_commit=f"m{value}",
        )
    ]
    found = compared(folders(tmp_path, points, points))
    assert [each.name for each in found.differences] == [
        *("eva (full[margin=1])", "eva (full[margin=2])"),
    ]


def test_parameters_versions_and_commits_that_changed_are_listed(tmp_path: Path) -> None:
    before = repeats("eva", 0.4, git_commit="aaaa1111", versions='{"torch": "2.6"}')
    after = repeats("eva", 0.4, git_commit="bbbb2222", versions='{"torch": "2.7"}')
    paths = folders(
        tmp_path, configured(before, margin=1.0, dim=100), configured(after, margin=2.0, dim=100)
    )
    changes = compared(paths).changes
    assert [(each.what, each.name, each.first, each.second, each.n) for each in changes.found] == [
        ("commit of the program", "", "aaaa1111", "bbbb2222", 4),
        ("parameter", "eva.margin", "1.0", "2.0", 4),
        ("version", "torch", "2.6", "2.7", 4),
    ]


def test_partitions_and_precision_are_changes_that_explain_another_key(tmp_path: Path) -> None:
    before = configured(repeats("eva", 0.4), dim=100)
    after = configured(repeats("eva", 0.4, variant="full[partitions=2]"), dim=100)
    changes = compared(folders(tmp_path, before, after)).changes
    assert [(each.what, each.name, each.second) for each in changes.found] == [
        ("training", "partitions", "2")
    ]
    assert not any("the code of the method" in note for note in changes.notes)


def test_another_key_without_another_cause_is_changed_code(tmp_path: Path) -> None:
    before = configured(repeats("eva", 0.4, git_commit="aaaa1111"), dim=100)
    after = configured(repeats("eva", 0.4, git_commit="bbbb2222"), dim=100)
    assert compared(folders(tmp_path, before, after)).changes.notes == (
        "4 of 4 pairs have different keys although parameters, data and protocol agree: the code "
        "of the method or of the scoring changed.",
    )


def test_equal_keys_are_said_to_be_equal(tmp_path: Path) -> None:
    records = configured(repeats("eva", 0.4), dim=100)
    found = compared(folders(tmp_path, records, records))
    assert found.changes.notes == (
        "4 of 4 pairs have one key: same parameters, data, method and scoring code.",
    )
    assert [each.verdict for each in found.differences] == ["equal"]


def test_two_variants_of_one_folder(tmp_path: Path) -> None:
    records = repeats("eva", 0.4) + repeats("eva", 0.3, variant="w/o image")
    sides = read_sides([write(tmp_path / "run", records)], "variants", ("full", "w/o image"))
    found = compare(sides, OPTIONS)
    assert [(each.name, each.paired.n) for each in found.differences] == [("eva", 4)]
    assert found.differences[0].paired.difference == pytest.approx(-0.1)


def test_a_variant_may_lack_its_settings_where_one_is_meant(tmp_path: Path) -> None:
    records = repeats("eva", 0.4, variant="full[epochs=5]") + repeats(
        "eva", 0.3, variant="w/o image[epochs=5]"
    )
    folder = write(tmp_path / "run", records)
    assert read_sides([folder], "variants", ("full", "w/o image")).first.label == "full[epochs=5]"
    write(folder, repeats("eva", 0.5, variant="full[epochs=9]", git_commit="later"))
    with pytest.raises(ResultsError, match=r"may be full\[epochs=5\] or full\[epochs=9\]"):
        read_sides([folder], "variants", ("full", "w/o image"))


def test_two_methods_of_one_folder(tmp_path: Path) -> None:
    records = repeats("eva", 0.4) + repeats("gcn_align", 0.3)
    sides = read_sides([write(tmp_path / "run", records)], "methods", ("eva", "gcn-align"))
    assert [each.name for each in compare(sides, OPTIONS).differences] == ["full"]


def test_two_commits_of_one_folder(tmp_path: Path) -> None:
    records = repeats("eva", 0.4, git_commit="aaaa1111") + repeats(
        "eva", 0.3, git_commit="bbbb2222"
    )
    folder = write(tmp_path / "run", records)
    found = compare(read_sides([folder], "commits", ("aaaa", "bbbb2222")), OPTIONS)
    assert [each.paired.n for each in found.differences] == [4]
    with pytest.raises(ResultsError, match="No cell of this folder has the commit 'cccc'"):
        read_sides([folder], "commits", ("aaaa", "cccc"))


def test_a_shortened_commit_must_be_of_one(tmp_path: Path) -> None:
    records = repeats("eva", 0.4, git_commit="aaaa1111") + repeats(
        "eva", 0.3, git_commit="aaaa1111-dirty"
    )
    folder = write(tmp_path / "run", records)
    with pytest.raises(ResultsError, match="may be aaaa1111 or aaaa1111-dirty"):
        read_sides([folder], "commits", ("aaaa", "aaaa1111-dirty"))
    assert read_sides([folder], "commits", ("aaaa1111", "aaaa1111-dirty")).first.label == "aaaa1111"


def test_a_checkpoint_chosen_on_test_links_is_marked(tmp_path: Path) -> None:
    marked = repeats("eva", 0.4, stopped_on="test", protocol="paper")
    found = compared(folders(tmp_path, marked, marked))
    assert found.differences[0].name == "eva‡"
    notes = comparing_document(found).tables[0].notes
    assert any(note.startswith("‡") for note in notes)


def test_one_repeat_is_said_to_show_nothing(tmp_path: Path) -> None:
    found = compared(folders(tmp_path, repeats("eva", 0.4, (0,)), repeats("eva", 0.3, (0,))))
    assert found.differences[0].verdict == "one repeat: nothing can be shown"
    assert found.exit_code == 0
    assert any("It may be chance" in note for note in comparing_document(found).tables[-1].notes)


def test_pairs_of_other_splits_are_not_said_to_share_one(tmp_path: Path) -> None:
    before = repeats("mclea", 0.4)
    after = [Record.of({**each.cell, "split_seed": 9}, own_numbers(each)) for each in before]
    paths = folders(tmp_path, before, after)
    assert compared(paths).differences == ()
    notes = comparing_document(compared(paths, ("data",))).tables[-1].notes
    assert "in the same repeats whatever their split" in notes[0]
