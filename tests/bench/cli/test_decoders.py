"""A user's method that scores pairs, and every decoder, from the command line to the page."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from mmea_bench.bench.cli.app import app
from mmea_bench.bench.scoring.decoders import DECODERS
from mmea_bench.results.core.store import read_tables

METHOD = """
import torch
from mmea_bench.methods.api import Method, PairScores, Scoring


class WordOverlap(Method):
    modalities = ("name",)
    published_scoring = Scoring(csls=10)

    def fit(self, view, ctx):
        sides = (view.source, view.target)
        source, target = ([set(name.split()) for name in graph.names] for graph in sides)

        def block(rows):
            return torch.tensor(
                [[len(source[row] & words) / len(source[row] | words) for words in target]
                 for row in rows.tolist()]
            )

        return PairScores(block, len(source), len(target), similarity="jaccard")
"""


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments), env={"MMEA_DATA": "", "MMEA_CACHE": ""})


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("decoders")
    method = folder / "word_overlap.py"
    method.write_text(METHOD)
    arguments = ["--methods", "word_overlap,name_match", "--datasets", "synthetic[n=150]"]
    where = ["--out", str(folder / "out"), "--cache-dir", str(folder / "cache")]
    rules = ["--protocol", "paper", "--decoders", "all", "--repeats", "2"]
    done = invoke("run", "--no-report", "--method-file", str(method), *arguments, *where, *rules)
    assert done.exit_code == 0, done.output
    return folder / "out"


def test_both_methods_have_numbers_of_every_decoder(out: Path) -> None:
    tables = read_tables(out)
    assert set(tables.cells["status"]) == {"ok"}
    for method, numbers in tables.results.groupby("method"):
        found = {decoder.partition("[")[0] for decoder in numbers["decoder"]}
        assert found == set(DECODERS) - {"csls"}, method


@pytest.mark.parametrize("verb", [["report"], ["report", "--format", "html"], ["check"]])
def test_reports_take_decoded_numbers(out: Path, verb: list[str]) -> None:
    done = invoke(verb[0], str(out), *verb[1:])
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize(
    ("decoders", "words"),
    [("hungarain", "Did you mean 'hungarian'"), ("sinkhorn[sweeps=x]", "sweeps")],
)
def test_a_wrong_decoder_is_a_sentence(tmp_path: Path, decoders: str, words: str) -> None:
    what = ["--methods", "random_scores", "--datasets", "synthetic[n=100]"]
    done = invoke("plan", *what, "--decoders", decoders, "--out", str(tmp_path / "out"))
    assert done.exit_code == 2
    assert words in done.stderr


def test_decoders_are_listed() -> None:
    rows = json.loads(invoke("list", "decoders", "--json").stdout)
    assert [row["decoder"] for row in rows] == list(DECODERS)
