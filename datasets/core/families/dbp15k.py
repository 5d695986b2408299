"""Shared base of the three DBP15K datasets: where they usually lie."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from mmea_bench.datasets.core.access.layouts import LayoutDataset, LayoutFiles
from mmea_bench.datasets.core.model.pair import KGPair
from mmea_bench.datasets.core.paper import Paper
from mmea_bench.datasets.core.readers import dbp15k, word_vectors

DBP15K_PAPER = Paper(
    authors="Sun, Hu, Li",
    title="Cross-Lingual Entity Alignment via Joint Attribute-Preserving Embedding",
    venue="ISWC",
    year=2017,
    url="https://arxiv.org/abs/1708.05045",
    code_url="https://github.com/nju-websoft/JAPE",
)
DBP15K_LICENCE = "CC BY-SA 3.0 (DBpedia content); conversion MIT (lzxlin/MCLEA)"


class Dbp15kDataset(LayoutDataset):
    """Two language editions of DBpedia in the layout of EVA and MCLEA."""

    paper = DBP15K_PAPER
    licence = DBP15K_LICENCE

    def places(self) -> Iterator[tuple[Path, LayoutFiles | None]]:
        """Folders named after the pair of languages, such as ``zh_en``."""
        pair = "_".join(self.graph_names).lower()
        for parent in ("dbp15k", "DBP15K", ""):
            folder = self.data_root / parent / pair
            yield folder, dbp15k.locate(folder)

    def input_files(self) -> tuple[Path, ...]:
        """Every file that ``read`` opens, the word vectors among them where they are there."""
        glove = word_vectors.locate(self.data_root)
        return super().input_files() + ((glove,) if glove is not None else ())

    def read(self) -> KGPair:
        """The parsed dataset; with GloVe-6B below the data root it has the modality ``word``."""
        return self.with_name_features(super().read())

    def with_name_features(self, pair: KGPair) -> KGPair:
        """The pair with mean word vectors of its names, where there are both."""
        glove = word_vectors.locate(self.data_root)
        if glove is None or "name" not in pair.modalities:
            return pair
        names = (pair.source.names, pair.target.names)
        table = word_vectors.read_word_vectors(glove, word_vectors.words_of([*names[0], *names[1]]))
        means = [word_vectors.mean_vectors(side, table) for side in names]
        features = {**pair.features, "word": (means[0], means[1])}
        return replace(pair, features=features, version="")
