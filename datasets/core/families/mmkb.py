"""Shared base of the MMKG datasets: where FB15K-DB15K and FB15K-YAGO15K usually lie."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mmea_bench.datasets.core.access.layouts import LayoutDataset, LayoutFiles
from mmea_bench.datasets.core.paper import Paper
from mmea_bench.datasets.core.readers import dbp15k, mmkg, text

MMKG_PAPER = Paper(
    authors="Liu, Li, Garcia-Duran, Niepert, Onoro-Rubio, Rosenblum",
    title="MMKG: Multi-Modal Knowledge Graphs",
    venue="ESWC",
    year=2019,
    url="https://arxiv.org/abs/1903.05485",
    code_url="https://github.com/mniepert/mmkb",
)
MMKG_LICENCE = "BSD-3-Clause (mniepert/mmkb)"

# MCLEA 2022, Table 5; FB15K is the source KG of both pairs.
FB15K_EXPECTED = {
    ("FB15K", "entities"): 14951,
    ("FB15K", "relations"): 1345,
    ("FB15K", "attributes"): 116,
    ("FB15K", "relation_triples"): 592213,
    ("FB15K", "attribute_triples"): 29395,
    ("FB15K", "images"): 13444,
}


class MmkbDataset(LayoutDataset):
    """A pair of MMKG graphs, in the raw layout or converted to that of EVA and MCLEA."""

    paper = MMKG_PAPER
    licence = MMKG_LICENCE

    def places(self) -> Iterator[tuple[Path, LayoutFiles | None]]:
        """The raw layout first: it alone carries relation names and attribute values."""
        for parent in (self.data_root / "mmkb", self.data_root):
            yield parent, self._raw(parent)
        for name in ("", "mmkb", "mmkb-datasets"):
            folder = self.data_root / name / "_".join(self.graph_names)
            yield folder, dbp15k.locate(folder)

    def _raw(self, parent: Path) -> mmkg.MmkgFiles | None:
        source, target = (mmkg.GraphFiles(name, parent / name) for name in self.graph_names)
        required = (
            source.path("EntityTriples.txt"),
            target.path("EntityTriples.txt"),
            target.path("SameAsLink.txt"),
        )
        if any(text.stored(path) is None for path in required):
            return None
        simulated = parent / "simulated_visual" / f"{source.name}_{target.name}.npz"
        vectors = simulated if text.is_filled(simulated) else None
        return mmkg.MmkgFiles(source, target, vectors, vectors_simulated=vectors is not None)
