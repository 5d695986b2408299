"""What the CLIP baselines for N-MMKGs share: frozen towers, a trained head per modality, the loss.

The baselines are known from the CrossEA paper (COLING 2025, sec. 5.1.2) alone, which describes each
in one sentence; their parts here are an interpretation.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.sparse import csr_matrix
from torch import Tensor, nn
from torch.nn.functional import normalize

from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.datasets.core.paper import Paper
from mmea_bench.methods.core.base import Embeddings, RunContext
from mmea_bench.methods.core.inputs.clip_towers import tower_features
from mmea_bench.methods.core.inputs.graphs.joint_graph import IntArray, JointGraph
from mmea_bench.methods.core.inputs.node_sets import NodeSets
from mmea_bench.methods.core.inputs.pair_rows import PairRows
from mmea_bench.methods.core.layers.encoders import DiagonalGAT, Linear
from mmea_bench.methods.core.losses.batch import symmetric_contrastive_loss
from mmea_bench.methods.core.training.loop import Schedule, backward_in_batches, train
from mmea_bench.methods.core.training.optimisers import adamw

CROSSEA_PAPER = Paper(
    authors="Xiao, Zeng, Zhang, Lao, Zhao",
    title="Multi-Modal Entities Matter: Benchmarking Multi-Modal Entity Alignment",
    venue="COLING",
    year=2025,
    url="https://aclanthology.org/volumes/2025.coling-main/",
    interpretation="A baseline of the CrossEA paper; no code was released.",
)
"""The paper that introduces the CLIP baselines."""

DIMS = (64, 128, 256, 512, 768, 1024)
"""Widths of the sweep; figure 3 of the CrossEA paper prints no values, these are ours."""

_LARGEST_SCALE = 100.0


@dataclass(frozen=True)
class ClipParams:
    """Hyper-parameters of the CLIP baselines; the paper states none.

    Temperature, its training and its limit are CLIP's (Radford et al., ICML 2021); the rest was
    tried on made-up data and is marked "ours".
    """

    clip_model: str = ""  # folder of a CLIP model; empty: the dataset's own vectors are the towers
    image_folder: str = ""  # where the image files of visual nodes lie; for ``clip_model`` only
    dim: int = 256  # ours; swept in figure 3
    temperature: float = 0.07  # CLIP, at the start
    learn_temperature: bool = True  # CLIP
    batch_size: int = 1024  # ours; sets the negatives, not the number of steps
    epochs: int = 200  # ours
    learning_rate: float = 1e-3  # AdamW, ours; 2e-4 to 2e-3
    weight_decay: float = 0.01  # the library's default
    eval_every: int = 20  # ours


@dataclass(frozen=True)
class StructureParams(ClipParams):
    """The same with a graph attention network, MCLEA's diagonal one; all values are ours."""

    n_heads: tuple[int, ...] = (2, 2)  # one number per layer; 1-4


def structure_network(params: StructureParams, generator: torch.Generator) -> DiagonalGAT:
    """The attention network of the structure-enhanced baselines."""
    return DiagonalGAT(params.dim, params.n_heads, 1, "mean", generator, last_activation=False)


class ClipHeads(nn.Module):
    """Vectors ``normalize(W_m f_i + b_m)`` from the frozen tower output ``f_i`` of modality m.

    Tower outputs are standardised per column and modality over both graphs.

    Args:
        view: N-MMKG.
        params: Towers and width.
        ctx: Device, generator, cache and log.
    """

    def __init__(self, view: TrainView, params: ClipParams, ctx: RunContext) -> None:
        super().__init__()
        features = tower_features(view, params.clip_model, params.image_folder, ctx)
        towers, nodes = replace(view, features=features), NodeSets.of(view)
        self._is_visual = torch.from_numpy(nodes.is_visual.copy()).to(ctx.device)
        self._inputs: dict[str, Tensor] = {}
        self._place = torch.empty(nodes.n_nodes, dtype=torch.int64)
        self.heads = nn.ModuleDict()
        generator = ctx.generator("heads")
        for modality, ids in nodes.ids.items():
            inputs = nodes.standardised(towers, modality).to(ctx.device)
            self._inputs[modality] = inputs
            self._place[torch.from_numpy(ids)] = torch.arange(len(ids))
            self.heads[modality] = Linear(inputs.shape[1], params.dim, generator)
        self._place = self._place.to(ctx.device)
        self._prepared = self._chosen(torch.arange(nodes.n_nodes, device=ctx.device))
        self._all = self._prepared

    def prepare(self, rows: Tensor) -> None:
        """Keeps the tower outputs of the rows (joint ids) that training needs."""
        self._prepared = self._chosen(rows)

    def forward(self, *, all_rows: bool) -> Tensor:
        """Unit vectors of the prepared rows, or of all nodes, [n_rows, dim]."""
        inputs, order = self._all if all_rows else self._prepared
        vectors = torch.cat([self.heads[name](part) for name, part in inputs.items()])
        return normalize(vectors, dim=1).index_select(0, order)

    def _chosen(self, rows: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """Inputs by modality, and where each row stands once they are put below each other."""
        visual = self._is_visual[rows]
        masks = dict(zip(self._inputs, (~visual, visual), strict=True))
        inputs = {
            name: self._inputs[name].index_select(0, self._place[rows[mask]])
            for name, mask in masks.items()
        }
        stacked = torch.cat([torch.nonzero(mask).squeeze(1) for mask in masks.values()])
        return inputs, torch.argsort(stacked)


class PairEncoder(nn.Module):
    """Base of the baselines' encoders: unit vectors by name of the similarity they serve."""

    graph: JointGraph

    def prepare(self, rows: Tensor) -> None:
        """Gets ready to encode these rows (joint ids) at training time."""
        raise NotImplementedError

    def encode(self, *, all_rows: bool) -> dict[str, Tensor]:
        """Unit vectors of the prepared rows, or of all nodes, [n_rows, dim] by name."""
        raise NotImplementedError

    def embeddings(self) -> Embeddings:
        """Final vectors of all nodes, without gradients."""
        raise NotImplementedError


class KnownPairs:
    """Which cells of a batch hold a training pair, where pairs are many to many.

    Args:
        pairs: Joint ids of the training pairs, [n_pairs, 2].
        n_nodes: Nodes of both graphs.
    """

    def __init__(self, pairs: IntArray, n_nodes: int) -> None:
        ones = np.ones(len(pairs), dtype=np.int8)
        self._known = csr_matrix((ones, (pairs[:, 0], pairs[:, 1])), shape=(n_nodes, n_nodes))

    def cells(self, batch: IntArray) -> Tensor:
        """(row, column) of the pairs among all rows' sources and all rows' targets, [2, n_cells].

        Args:
            batch: Joint ids of the batch's pairs, [b, 2].
        """
        cells = self._known[batch[:, 0]][:, batch[:, 1]].nonzero()
        return torch.from_numpy(np.stack(cells).astype(np.int64))


class _Contrast(nn.Module):
    """The loss of every similarity on shuffled batches of training pairs."""

    def __init__(self, pairs: Tensor, n_nodes: int, params: ClipParams, ctx: RunContext) -> None:
        super().__init__()
        self._pairs, self._params = pairs.numpy(), params
        self._known = KnownPairs(self._pairs, n_nodes)
        self._shuffles = ctx.generator("batches")
        start = torch.tensor(math.log(1 / params.temperature))
        self.log_scale = nn.Parameter(start, requires_grad=params.learn_temperature)

    def forward(self, encoded: Mapping[str, Tensor], positions: Tensor) -> Iterator[Tensor]:
        """One loss per batch; an epoch's losses add up to the mean over all pairs.

        Args:
            encoded: Name of a similarity to unit vectors, [n_rows, dim].
            positions: Rows of each pair, [n_pairs, 2].
        """
        order = torch.randperm(len(positions), generator=self._shuffles)
        for chunk in torch.split(order, self._params.batch_size):
            known = self._known.cells(self._pairs[chunk.numpy()])
            source, target = positions[chunk.to(positions.device)].T
            scale = self.log_scale.exp().clamp(max=_LARGEST_SCALE)
            losses = [
                symmetric_contrastive_loss(vectors[source], vectors[target], scale, known)
                for vectors in encoded.values()
            ]
            yield torch.stack(losses).sum() * (len(chunk) / len(positions))


def train_contrastively(
    encoder: PairEncoder, view: TrainView, params: ClipParams, ctx: RunContext
) -> Embeddings:
    """Trains an encoder on the training pairs, one step per epoch.

    Every similarity has a loss of its own and all share one temperature.
    """
    pairs = encoder.graph.seed_pairs(view)
    rows = PairRows.of(pairs, ctx.device)
    encoder.prepare(rows.rows)
    contrast = _Contrast(pairs, encoder.graph.n_entities, params, ctx).to(ctx.device)

    def step(_epoch: int) -> float:
        encoded = encoder.encode(all_rows=False)
        return backward_in_batches(encoded, lambda leaves: contrast(leaves, rows.positions))

    schedule = Schedule(
        params.epochs,
        adamw(params.learning_rate, params.weight_decay),
        eval_every=params.eval_every,
    )
    parameters = [*encoder.parameters(), *contrast.parameters()]
    return train(parameters, step, encoder.embeddings, schedule, ctx)
