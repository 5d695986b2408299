"""The profiles in docs/examples are profiles, and dask-jobqueue makes job scripts of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mmea_bench.bench.clusters.connect import read_profile

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "clusters.md").read_text(encoding="utf-8")
NETWORK_HERE = "lo"

WORDS_OF_SCRIPTS = {
    "slurm": ("#SBATCH --cpus-per-task=8", "#SBATCH -p cpu"),
    "slurm-gpu": ("#SBATCH --gres=gpu:1", "--resources GPU=1"),
    "pbs": ("#PBS -l select=1:ncpus=8:mem=32gb", "#PBS -l walltime=24:00:00"),
    "sge": ("#$ -pe smp 8", "#$ -q all.q"),
    "lsf": ("#BSUB -n 8", "#BSUB -M 32000000"),
}


@pytest.mark.parametrize(("name", "words"), WORDS_OF_SCRIPTS.items(), ids=WORDS_OF_SCRIPTS)
def test_an_example_gives_the_job_script_that_it_should(name: str, words: tuple[str, ...]) -> None:
    jobqueue = pytest.importorskip("dask_jobqueue")
    table = read_profile(DOCS / "examples" / f"{name}.toml")
    options = {**table["options"], "interface": NETWORK_HERE}
    with getattr(jobqueue, table["class"])(**options) as cluster:
        script = cluster.job_script()
    for word in (*words, "export MMEA_DATA=/shared/mmea"):
        assert word in script
    # The last one counts: a cell at a time, with all cores of its job.
    assert re.findall(r"--nthreads (\d+)", script)[-1] == "1"


def test_the_page_names_every_example() -> None:
    assert set(re.findall(r"examples/([\w-]+)\.toml", PAGE)) == set(WORDS_OF_SCRIPTS)


def test_the_profile_on_the_page_is_one(tmp_path: Path) -> None:
    (text,) = re.findall(r"```toml\n(.*?)```", PAGE, flags=re.DOTALL)
    path = tmp_path / "profile.toml"
    path.write_text(text, encoding="utf-8")
    assert read_profile(path)["jobs"] == 8
