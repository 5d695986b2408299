"""Files of published numbers that break the rules are refused with one sentence."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest

from mmea_bench.results.core.errors import ResultsError
from mmea_bench.results.core.published import PACKAGED_FOLDER, read_published
from mmea_bench.results.core.published_trust import SELECTORS, rows_concerned, with_trust

FILES = {
    "sources.csv": ["source,citation,year", '"paper","A. Author, A Title, 2020",2020'],
    "results.csv": [
        "source,table,method,variant,dataset,seed_ratio,setting,metric,value,note",
        "paper,Table 1,Alpha,,fb15k-db15k,0.2,,hits@1,0.50,reported",
        "paper,Table 1,Alpha,,fb15k-db15k,0.2,,mrr,0.6,reported",
    ],
    "results_other_datasets.csv": [
        "source,table,method,variant,dataset,seed_ratio,setting,metric,value,note"
    ],
    "datasets.csv": [
        "source,table,dataset,kg,statistic,value",
        "paper,Table 2,fb15k-db15k,,pairs,12846",
    ],
    "significance.csv": [
        "source,table,method,run,metric,value",
        "paper,Table 3,Alpha,1,f1,0.5",
    ],
    "contradictions.csv": [
        "id,source,table,method,variant,dataset,seed_ratio,setting,metric,verdict,use_value,"
        "tolerance,reads_as,why",
        "C1,paper,Table 1,Alpha,full,,0.2,,hits@1,use,0.51,,,A misprint.",
    ],
    "scoring.csv": [
        "method,source,table,similarity,csls,decoder,candidates,direction,names,iterative,origin,note",
        "Alpha,paper,Table 1,manhattan,0,none,test,,no,,code,As in the released code.",
        "Beta,,,cosine,10,sinkhorn,,tgt2src,,,code,No number of it is printed.",
        "Alpha,paper,Table 2,,,,,,no,,not stated,Nobody says.",
    ],
    "statements.csv": [
        "id,source,place,dataset,kg,statistic,says,holds,found,use_value,trust",
        "C2,paper,text,,,,Best,no,Second best,,The cells.",
    ],
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, lines in FILES.items():
        (tmp_path / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path


def replace(folder: Path, name: str, old: str, new: str) -> None:
    path = folder / name
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_a_folder_of_ones_own_is_read(folder: Path) -> None:
    published = read_published(folder)
    assert published.results["printed"].tolist() == ["0.50", "0.6"]
    assert published.results["use_value"].tolist() == [0.51, 0.6]
    assert published.sources["paper"].year == 2020
    assert [row.csls for row in published.scoring] == [0, 10, None]
    assert [row.is_stated for row in published.scoring] == [True, True, False]
    assert published.other_results.empty
    assert list(published.other_results.columns) == list(published.results.columns)


@pytest.mark.parametrize(
    ("name", "old", "new", "sentence"),
    [
        ("results.csv", ",value,", ",number,", r"results.csv, line 1: column 'value' is missing"),
        ("results.csv", "source,table", "table,source", r"line 1: the columns must be source,"),
        ("results.csv", "0.50", "0.5O", r"line 2, column 'value': must hold a number, not '0.5O'"),
        ("results.csv", "0.50", "", r"line 2, column 'value': must hold a number, not ''"),
        ("results.csv", "0.50", "50", r"line 2, column 'value': must hold a fraction .*, not '50'"),
        ("results.csv", "0.50", "-0.1", r"column 'value': must hold a fraction between 0 and 1"),
        ("results.csv", "0.50", "nan", r"column 'value': must hold a finite number, not 'nan'"),
        ("results.csv", "0.2,,mrr", "20,,mrr", r"line 3, column 'seed_ratio': must hold a fract"),
        ("results.csv", "mrr", "mean", r"line 3, column 'metric': must be one of hits@1, .*'mean'"),
        ("results.csv", "0.2,,mrr", "0.2,fast,mrr", r"line 3, column 'setting': must hold words"),
        ("results.csv", "Alpha,,fb15k-db15k,0.2,,mrr", ",,fb15k-db15k,0.2,,mrr", "must be filled"),
        ("results.csv", "paper,Table 1,Alpha,,fb15k-db15k,0.2,,mrr", "x,T,A,,d,,,mrr", "one of pa"),
        ("results.csv", "0.6,reported", "0.6", r"line 3: 9 fields where the header has 10"),
        ("results.csv", "mrr,0.6", "hits@1,0.6", r"line 3: the same source, .* stand in line 2"),
        ("datasets.csv", "12846", "many", r"datasets.csv, line 2, column 'value': must hold a nu"),
        ("significance.csv", "Alpha,1", "Alpha,0", r"column 'run': must hold a whole number from"),
        ("sources.csv", ",2020\n", ",soon\n", r"sources.csv, line 2, column 'year'"),
        ("contradictions.csv", "C1", "one", r"column 'id': must hold an id such as C12, not 'one'"),
        ("contradictions.csv", ",use,", ",doubt,", r"column 'verdict': must be one of use, avoid"),
        ("contradictions.csv", "paper", "book", r"column 'source': must hold sources from paper"),
        ("contradictions.csv", "0.2,,hits", "most,,hits", r"column 'seed_ratio': must hold a num"),
        ("contradictions.csv", ",use,0.51,", ",note,0.51,", r"'use_value': must be empty for the"),
        ("contradictions.csv", ",use,0.51,", ",loose,,", r"'tolerance': must be filled for the"),
        (
            "scoring.csv",
            ",0,none",
            ",none,none",
            r"line 2, column 'csls': must hold a whole number",
        ),
        ("scoring.csv", "manhattan", "two words", r"column 'similarity': must hold one word"),
        (
            "scoring.csv",
            ",test,,no,",
            ",most,,no,",
            r"column 'candidates': must be one of , test, links, uns",
        ),
        ("scoring.csv", "tgt2src", "back", r"column 'direction': must be one of , src2tgt, tgt"),
        ("scoring.csv", ",test,,no,", ",test,,maybe,", r"column 'names': must be one of , yes, no"),
        ("scoring.csv", "Beta,,", "Beta,paper,", r"line 3, column 'table': must be filled where"),
        ("scoring.csv", ",code,As", ",not stated,As", r"'origin': must say who states the CSLS"),
        ("scoring.csv", "Table 2", "Table 1", r"line 4: the same method, .* stand in line 2"),
        ("statements.csv", ",no,", ",never,", r"column 'holds': must be one of yes, no, open"),
    ],
)
def test_a_bad_file_is_one_sentence_with_its_place(
    folder: Path, name: str, old: str, new: str, sentence: str
) -> None:
    replace(folder, name, old, new)
    with pytest.raises(ResultsError, match=sentence) as caught:
        read_published(folder)
    assert str(folder / name) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(folder: Path) -> None:
    (folder / "datasets.csv").unlink()
    with pytest.raises(ResultsError, match=r"datasets\.csv: cannot be read"):
        read_published(folder)


def test_a_file_that_is_no_text_is_named(folder: Path) -> None:
    (folder / "results.csv").write_bytes(b"\xff\xfe\x00broken")
    with pytest.raises(ResultsError, match=r"results\.csv: cannot be read"):
        read_published(folder)


def test_an_empty_file_lacks_its_columns(folder: Path) -> None:
    (folder / "results.csv").write_text("")
    with pytest.raises(ResultsError, match="column 'source' is missing"):
        read_published(folder)


def test_windows_line_ends_and_quotes_are_read(folder: Path) -> None:
    path = folder / "results.csv"
    text = path.read_text(encoding="utf-8").replace("reported", '"reported; a, b"')
    path.write_bytes(text.replace("\n", "\r\n").encode())
    assert read_published(folder).results["note"].tolist() == ["reported; a, b"] * 2


def test_a_copy_of_the_packaged_files_gives_the_same_tables(tmp_path: Path) -> None:
    shutil.copytree(PACKAGED_FOLDER, tmp_path / "copy")
    copied, packaged = read_published(tmp_path / "copy"), read_published()
    pd.testing.assert_frame_equal(copied.results, packaged.results)
    pd.testing.assert_frame_equal(copied.contradictions, packaged.contradictions)


CELLS = pd.DataFrame(
    {
        "source": ["a", "a", "b"],
        "table": ["log.csv#L1-l", "Table 1", "Table 1"],
        "method": ["M", "M", "N"],
        "variant": ["", "w/o X", ""],
        "dataset": ["d", "d", "e"],
        "seed_ratio": [0.2, float("nan"), 0.3],
        "setting": ["no-names;iterative", "", "non-iterative"],
        "metric": ["mrr", "mrr", "hits@1"],
        "value": [0.1, 0.2, 0.3],
    }
)
ANY = dict.fromkeys(SELECTORS, "")


@pytest.mark.parametrize(
    ("selector", "concerned"),
    [
        ({}, [True, True, True]),
        ({"source": "a"}, [True, True, False]),
        ({"method": "M|N"}, [True, True, True]),
        ({"table": "log.csv"}, [True, False, False]),
        ({"table": "log.csv#L2-l"}, [False, False, False]),
        ({"variant": "full"}, [True, False, True]),
        ({"variant": "w/o X"}, [False, True, False]),
        ({"seed_ratio": "0.2|0.3"}, [True, False, True]),
        ({"seed_ratio": "-"}, [False, True, False]),
        ({"setting": "iterative"}, [True, False, False]),
        ({"setting": "iterative;no-names"}, [True, False, False]),
        ({"setting": "-|non-iterative"}, [False, True, True]),
        ({"source": "a", "metric": "hits@1"}, [False, False, False]),
    ],
)
def test_a_selector_chooses_cells(selector: dict[str, str], concerned: list[bool]) -> None:
    assert rows_concerned(CELLS, {**ANY, **selector}).tolist() == concerned


def contradiction(identity: str, verdict: str, **changes: object) -> dict[str, object]:
    nothing = {"use_value": float("nan"), "tolerance": float("nan"), "reads_as": ""}
    why = f"Because of {identity}."
    return {**ANY, **nothing, "id": identity, "verdict": verdict, "why": why, **changes}


def test_several_contradictions_of_a_cell_are_joined() -> None:
    listed = pd.DataFrame(
        [
            contradiction("C10", "loose", tolerance=0.01, method="M"),
            contradiction("C2", "loose", tolerance=0.02, method="M"),
            contradiction("C3", "avoid", variant="w/o X"),
            contradiction("C4", "use", use_value=0.5, reads_as="hits@10", method="N"),
        ]
    )
    marked = with_trust(CELLS, listed)
    assert marked["trust"].tolist() == ["loose", "avoid", "trusted"]
    assert marked["contradictions"].tolist() == ["C2 C10", "C2 C3 C10", "C4"]
    assert marked["tolerance"].fillna(0).tolist() == [0.02, 0, 0]
    assert marked["use_value"].tolist() == [0.1, 0.2, 0.5]
    assert marked["reads_as"].tolist() == ["mrr", "mrr", "hits@10"]
    assert marked["why"][0] == "Because of C2. Because of C10."
    assert marked["value"].tolist() == CELLS["value"].tolist()
