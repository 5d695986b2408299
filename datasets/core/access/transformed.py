"""A dataset that is changed on the way, as its address asks for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from mmea_bench.datasets.core.access.base import PairDataset
from mmea_bench.datasets.core.model.pair import KGPair
from mmea_bench.datasets.core.model.statistics import count_pair
from mmea_bench.datasets.core.model.view import NAME_FEATURES
from mmea_bench.datasets.core.options import format_address, split_address
from mmea_bench.datasets.core.transforms.catalogue import Chosen, transformed

_DECLARED = ("title", "graph_names", "paper", "licence", "Options", "expected", "files")


class TransformedDataset(PairDataset):
    """Any dataset with transforms; what it declares is what the plain one declares.

    Args:
        base: The dataset without transforms.
        chosen: The transforms, of which at least one changes something.
    """

    def __init__(self, base: PairDataset, chosen: Chosen) -> None:
        name, own = split_address(base.address) if base.address[-1:] == "]" else (base.address, {})
        address = format_address(name, {**own, **chosen.options()})
        super().__init__(address, base.options, base.data_root)
        self._base, self._chosen = base, chosen
        for name in _DECLARED:
            setattr(self, name, getattr(base, name))

    @property
    def plain(self) -> PairDataset:
        """The dataset without transforms."""
        return self._base

    def input_files(self) -> tuple[Path, ...]:
        """The files of the plain dataset."""
        return self._base.input_files()

    def read(self) -> KGPair:
        """The plain dataset as it is read, changed."""
        return self.changed(self._base.read())

    def changed(self, pair: KGPair) -> KGPair:
        """The plain dataset, changed.

        Raises:
            MissingDataError: If it lacks what a transform changes.
        """
        found = replace(transformed(pair, self._chosen), dataset=self.address)
        if self._chosen.change_names:
            kept = {
                name: both for name, both in found.features.items() if name not in NAME_FEATURES
            }
            found = self._base.with_name_features(replace(found, features=kept, version=""))
        before, after = count_pair(pair), count_pair(found)
        hidden = {key: n - after.get(key, 0) for key, n in before.items() if n != after.get(key, 0)}
        return replace(found, hidden=hidden)
