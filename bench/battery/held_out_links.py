"""Looks for validation and test links in everything that a training is given."""

from __future__ import annotations

import mmap
from collections.abc import Collection, Iterator, Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from mmea_bench.bench.battery.failures import require
from mmea_bench.bench.battery.fits import RNG_SEED, applicable, brief
from mmea_bench.bench.battery.interruption import MemoryStates
from mmea_bench.bench.battery.reachable import reachable
from mmea_bench.bench.battery.small_pairs import easy_pair_for, tiny_split, tiny_view
from mmea_bench.bench.scoring.monitor import CurveMonitor
from mmea_bench.bench.scoring.protocol import Protocol
from mmea_bench.bench.scoring.scorers import make_scorer
from mmea_bench.bench.scoring.sealed import sealed
from mmea_bench.datasets.core.model.graph import Ids
from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.methods.core.base import Method, RunContext

RUN_LENGTH = 4
"""Held-out links in a row that make a run of numbers a list of links: one or two stand in any long
array by chance, and so they do where triples are read as pairs."""

_MOST_OF = 0.5
"""Share of the held-out links that an array of counterparts names."""

_BUFFERS = (bytes, bytearray, memoryview, mmap.mmap)
_HIDDEN_KINDS = ("CurveMonitor", "RankingScorer", "PairScorer", "Split", "KGPair", "Fold")


def check_held_out_links(method_type: type[Method]) -> None:
    """No array, tensor or collection in reach of a training holds a validation or test link."""
    pair = easy_pair_for(method_type)
    method = applicable(brief(method_type, n_epochs=2), pair)
    view, split = tiny_view(pair, method), tiny_split(pair)
    scorer = make_scorer(Protocol(), pair, split, method.published_scoring)
    torch.manual_seed(RNG_SEED)
    context = RunContext(
        RNG_SEED,
        monitor=sealed(CurveMonitor("last", scorer, pair.sizes)),
        states=MemoryStates(-1, {"view": view}),
    )
    before = held_out_in(view, context, pair.anchor_links)
    method.fit(view, context)
    # What the method computed is its own; what it was given must hold no more than before.
    found = {*before, *held_out_in(view, context, pair.anchor_links)}
    require(
        not found,
        f"Held-out links lie in reach of the training: {'; '.join(sorted(found))}. Leave `view` "
        "and `ctx` as they were given.",
    )


def held_out_in(view: TrainView, context: object, anchor_links: Ids) -> list[str]:
    """What a training is given that holds held-out links, in words; empty is as it must be.

    Args:
        view: What the training sees.
        context: What it gets besides.
        anchor_links: All links of the dataset, [n, 2]; those that are no seeds are held out.
    """
    seeds = set(map(tuple, view.seed_links.tolist()))
    hidden = HeldOut(tuple(link) for link in anchor_links.tolist() if tuple(link) not in seeds)
    graphs = {id(graph.attribute_triples) for graph in (view.source, view.target)}
    return [
        f"{type(item).__name__} ({what})"
        for item in reachable(view, context)
        # Attribute triples have two columns as well, and are no links.
        if id(item) not in graphs and (what := hidden.in_object(item))
    ]


class HeldOut:
    """Links that nothing in reach may hold.

    Args:
        links: (source id, target id).
    """

    def __init__(self, links: Iterator[tuple[int, int]] | Collection[tuple[int, int]]) -> None:
        self._links = frozenset(links)
        self._rows = np.array(sorted(self._links), dtype=np.int64).reshape(-1, 2)
        self._codes = _codes(self._rows[:, 0], self._rows[:, 1])

    def in_object(self, item: object) -> str:
        """How an object itself holds held-out links; empty if it does not."""
        if type(item).__name__ in _HIDDEN_KINDS:
            return "it holds the links of the scoring"
        if isinstance(item, np.ndarray):
            return self._in_array(item)
        if isinstance(item, torch.Tensor):
            return self._in_tensor(item)
        if isinstance(item, _BUFFERS):
            return self._in_buffer(item)
        if isinstance(item, Mapping):
            return self._in_pairs([*item.items(), *item.keys(), *item.values()])
        if isinstance(item, list | tuple | set | frozenset):
            return self._in_pairs(item)
        return ""

    def _in_array(self, array: NDArray[np.generic]) -> str:
        if array.dtype.kind not in "iuf" or not array.size:
            return ""
        if array.ndim == 2 and 2 in array.shape:
            tall = array if array.shape[1] == 2 else array.T
            found = np.isin(_codes(*_whole(tall).T), self._codes)
            return f"{found.sum()} held-out links in an array" if found.any() else ""
        if array.ndim == 1 and array.dtype.kind in "iu":
            return self._in_numbers(array.astype(np.int64))
        return ""

    def _in_tensor(self, tensor: torch.Tensor) -> str:
        if tensor.layout != torch.strided:
            indices = tensor.detach().coalesce().indices() if tensor.is_sparse else None
            return "" if indices is None else self._in_array(indices.cpu().numpy())
        if tensor.dtype in (torch.bfloat16, torch.float16) or tensor.is_complex():
            return ""
        plain = tensor.detach().cpu()
        found = self._in_array(plain.numpy())
        if found or plain.is_floating_point() or plain.dtype == torch.bool:
            return found
        # A slice shares its memory with all that it was cut from.
        stored = torch.empty(0, dtype=plain.dtype).set_(plain.untyped_storage())
        return self._in_array(stored.numpy())

    def _in_buffer(self, buffer: bytes | bytearray | memoryview | mmap.mmap) -> str:
        content = bytes(buffer)
        for number in (np.int32, np.int64):
            width = np.dtype(number).itemsize
            for start in range(0, width, 4):  # arrays in a file begin at multiples of four
                whole = content[start : start + (len(content) - start) // width * width]
                found = self._runs(np.frombuffer(whole, dtype=number).astype(np.int64))
                if found:
                    return found
        return ""

    def _in_numbers(self, numbers: NDArray[np.int64]) -> str:
        """Links as a flat run of numbers, or as the counterpart of each entity."""
        for column in (0, 1):
            asked, partners = self._rows[:, column], self._rows[:, 1 - column]
            known = asked[asked < len(numbers)]
            right = numbers[known] == partners[asked < len(numbers)]
            if len(self._rows) and right.sum() > _MOST_OF * len(self._rows):
                return f"{right.sum()} counterparts"
        return self._runs(numbers)

    def _runs(self, numbers: NDArray[np.int64]) -> str:
        if len(numbers) < 2 * RUN_LENGTH:
            return ""
        found = np.isin(_codes(numbers[:-1], numbers[1:]), self._codes)
        n_starts = len(found) - 2 * (RUN_LENGTH - 1)
        parts = [found[2 * k : 2 * k + n_starts] for k in range(RUN_LENGTH)]
        runs = np.logical_and.reduce(parts)
        return f"{RUN_LENGTH} or more held-out links in a row" if runs.any() else ""

    def _in_pairs(self, items: Collection[object]) -> str:
        pairs = [
            item
            for item in items
            if isinstance(item, tuple | list)
            and len(item) == 2
            and all(isinstance(part, int | np.integer) for part in item)
        ]
        found = [pair for pair in pairs if (int(pair[0]), int(pair[1])) in self._links]
        return f"{len(found)} held-out links in a collection" if found else ""


def _whole(rows: NDArray[np.generic]) -> NDArray[np.int64]:
    """Rows as whole numbers; one that is none becomes a row that is no link."""
    if rows.dtype.kind in "iu":
        return rows.astype(np.int64)
    values = rows.astype(np.float64)
    is_whole = np.isfinite(values) & (np.rint(values) == values) & (np.abs(values) < 2**31)
    return np.where(is_whole, values, -1).astype(np.int64)


def _codes(sources: NDArray[np.int64], targets: NDArray[np.int64]) -> NDArray[np.int64]:
    """A number for each pair of ids, [n]; -1 where one of them is no id."""
    is_id = (sources >= 0) & (targets >= 0) & (sources < 2**31) & (targets < 2**31)
    return np.where(is_id, (np.where(is_id, sources, 0) << 31) | targets, -1)
