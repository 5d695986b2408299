"""LoginMEA: local-to-global interaction network.

Each entity's modalities are first fused among themselves (weights of the entity's own, low-rank
tensor product), then the fused vectors are propagated over the graph by relation-reflection
attention. One contrastive loss on the final vector trains everything; mutual nearest neighbours
join the seeds.

Sources: "code" is the released repository (which lacks a module and does not start as published),
"paper" is ECAI 2024 with its supplement.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.datasets.core.paper import Paper
from mmea_bench.methods.core.base import Embeddings, Method, RunContext, Scoring, StopRule
from mmea_bench.methods.core.inputs.features import (
    input_features,
    modality_features,
    neighbour_mean_features,
)
from mmea_bench.methods.core.inputs.joint_graph import JointGraph
from mmea_bench.methods.core.layers.encoders import Linear, uniform_parameter
from mmea_bench.methods.core.layers.fusion import WeightedConcatenation
from mmea_bench.methods.core.layers.sparse import FixedMatrix
from mmea_bench.methods.core.losses.batch import (
    intra_modal_contrastive_loss,
    one_way_contrastive_loss,
)
from mmea_bench.methods.core.training.seed_training import SeedTrainingParams, train_on_seeds
from mmea_bench.methods.parts.loginmea.low_rank import LocalFusion, SparseRows
from mmea_bench.methods.parts.loginmea.surroundings import Propagation, Surroundings

STRUCTURE = "structure"


@dataclass(frozen=True)
class LoginMEAParams(SeedTrainingParams):
    """Hyper-parameters of LoginMEA; defaults are those of its released script."""

    modalities: tuple[str, ...] = ("image", "relation", "attribute")  # fused in this order, code
    dim: int = 300  # fused vectors and graph layers; paper, script
    modality_dim: int = 300  # encoded modalities; code (fixed in its fusion), paper 100
    n_layers: int = 2  # propagation steps; code, paper 3; search 1-5
    rank: int = 8  # paper, code; search 2-256
    tau: float = 0.1  # temperature; paper, script; search 0.05-0.3
    fusion: Literal["low-rank", "sum", "concatenation"] = "low-rank"
    adaptive_weights: bool = True  # False: every weight is 1
    shared_query: bool = True  # code: one vector u for all modalities; paper: one each
    weighs: Literal["normalised", "raw"] = "normalised"  # what the weights scale; paper: raw
    first_block: Literal["weighted concatenation", "fused"] = "weighted concatenation"  # code
    structure_branch: bool = True  # code; equation 13 has none
    propagation: Propagation = "reflection"
    paradigm: Literal["local to global", "graph as modality", "graph upon modality"] = (
        "local to global"
    )
    loss: Literal["one-way", "icl"] = "one-way"
    relation_values: Literal["counts", "binary"] = "counts"  # code; paper binary
    lacking_image: Literal["neighbour mean", "normal"] = "neighbour mean"  # code; paper: random
    epochs: int = 1000  # script; paper 600
    learning_rate: float = 5e-4  # script, in effect throughout; paper 5e-3
    weight_decay: float = 0.01  # the library's default; the script's value is never passed on
    batch_size: int = 3500  # paper, script; sets the negatives, not the number of steps
    restart_from: int = 51  # the optimiser is made anew every epoch from here on, code
    iterative: bool = True  # script
    iterative_start: int = 50  # script
    check_every: int = 5  # script
    promote_every: int = 50  # code
    eval_every: int = 50  # script


class LoginMEA(Method):
    """LoginMEA as its released code describes it; ``as described`` follows the paper's text.

    Choices where the sources are silent: ``w/o Low-rank`` fuses by the weighted sum of the
    normalised vectors. ``repl. Concat Fusion`` puts one linear layer on the concatenation and drops
    the weighted concatenation, so that the whole local module is replaced. ``repl. GAT`` has one
    head per layer and self-loops. ``repl. ICL`` applies to the final vector. ``LoginMEA-GAM``
    brings the propagated structure to the modalities' width by a linear layer and fuses it as a
    fourth modality. ``LoginMEA-GUM`` propagates every modality with the same layers and
    concatenates the results under learned weights.
    """

    paper = Paper(
        authors="Su, Zhang, Sheng, Zhang, Liu",
        title="LoginMEA: Local-to-Global Interaction Network for Multi-modal Entity Alignment",
        venue="ECAI",
        year=2024,
        url="https://arxiv.org/abs/2407.19625",
        code_url="https://github.com/sutaoyu/LoginMEA",
        code_commit="888bdd1",
    )
    modalities: ClassVar[tuple[str, ...]] = (STRUCTURE, *LoginMEAParams.modalities)
    requires: ClassVar[tuple[str, ...]] = (STRUCTURE,)
    Params = LoginMEAParams
    # Code (the paper is silent on CSLS); one setting, the defaults, serves all five datasets.
    published_scoring = Scoring("cosine", csls=3)
    # The supplement states ends of its search ranges; the values between them are ours.
    grid: ClassVar = {
        "rank": (2, 4, 8, 16, 32, 64, 128, 256),
        "tau": (0.05, 0.1, 0.15, 0.2, 0.3),
        "n_layers": (1, 2, 3, 4, 5),
    }
    variants: ClassVar = {
        "w/o Low-rank": {"fusion": "sum"},
        "w/o Adaptive weights": {"adaptive_weights": False},
        "repl. Concat Fusion": {
            "fusion": "concatenation",
            "adaptive_weights": False,
            "first_block": "fused",
        },
        "repl. GAT": {"propagation": "gat"},
        "repl. ICL": {"loss": "icl"},
        "w/o Visual": {"modalities": ("relation", "attribute")},
        "w/o Attribute": {"modalities": ("image", "relation")},
        "w/o Relation": {"modalities": ("image", "attribute")},
        "LoginMEA-GAM": {"paradigm": "graph as modality"},
        "LoginMEA-GUM": {"paradigm": "graph upon modality"},
        "w/o iterative": {"iterative": False},
        # Equation 15's number of negatives is not stated, so the loss stays the code's; so does the
        # product of equation 9, which would make the rank irrelevant.
        "as described": {
            "learning_rate": 5e-3,
            "epochs": 600,
            "restart_from": 1_000_000,  # not in the paper
            "modality_dim": 100,
            "n_layers": 3,
            "shared_query": False,  # equation 3
            "weighs": "raw",  # equation 4
            "first_block": "fused",  # equation 13
            "structure_branch": False,  # equation 13
            "relation_values": "binary",  # section 4.1
            "lacking_image": "normal",  # section 5.1
        },
    }
    test_params: ClassVar = {
        "epochs": 40,
        "dim": 24,
        "modality_dim": 24,
        "rank": 2,
        "iterative_start": 20,
        "promote_every": 10,
        "eval_every": 20,
        "learning_rate": 5e-3,
    }
    # The reported row is the evaluation with the best Hits@1 on the test links.
    paper_stop: ClassVar[StopRule] = "test"

    @property
    def is_iterative(self) -> bool:
        """Whether pseudo-labels are learned before the last epoch is over."""
        return bool(self.params.reaches_pseudo_labels)

    def skip_reason(self, modalities: tuple[str, ...]) -> str | None:
        """Why LoginMEA cannot run: no graph to propagate over, or nothing to propagate."""
        if not self.chosen_modalities(modalities):
            return f"the dataset has none of: {', '.join(self.params.modalities)}"
        return super().skip_reason(modalities)

    def fit(self, view: TrainView, ctx: RunContext) -> Embeddings:
        """Trains on the seed links and returns all entities' final vectors."""
        params: LoginMEAParams = self.params
        graph = JointGraph.of(view)
        features = _features(view, graph, self.chosen_modalities(view.modalities), params, ctx)
        encoder = _Encoder(graph, features, params, ctx.generator("initial values"), ctx.device)
        pairs = graph.seed_pairs(view)
        return train_on_seeds(encoder.to(ctx.device), _Losses(params, ctx), pairs, params, ctx)


class _Losses:
    """Losses of one epoch: shuffled pairs in mini-batches."""

    def __init__(self, params: LoginMEAParams, ctx: RunContext) -> None:
        self._params = params
        self._shuffles = ctx.generator("batches")

    def __call__(self, encoded: dict[str, Tensor], positions: Tensor) -> Iterator[Tensor]:
        params, joint = self._params, encoded["joint"]
        order = torch.randperm(len(positions), generator=self._shuffles).to(positions.device)
        for chunk in torch.split(positions[order], params.batch_size):
            source, target = (joint.index_select(0, chunk[:, side]) for side in (0, 1))
            if params.loss == "icl":
                yield intra_modal_contrastive_loss(source, target, params.tau)
            else:
                yield one_way_contrastive_loss(source, target, params.tau)


class _Encoder(nn.Module):
    """Final vectors of entities: modalities fused, then propagated, as the parameters say."""

    def __init__(
        self,
        graph: JointGraph,
        features: dict[str, Tensor | FixedMatrix],
        params: LoginMEAParams,
        generator: torch.Generator,
        device: torch.device,
    ) -> None:
        super().__init__()
        self.graph = graph
        self._params, self._features, self._prepared = params, features, features
        self.linear = nn.ModuleDict()
        for name, inputs in features.items():
            n_in = (inputs.pattern if isinstance(inputs, FixedMatrix) else inputs).shape[1]
            self.linear[name] = Linear(n_in, params.modality_dim, generator)
        modalities = tuple(features)
        self.around = Surroundings(
            graph, params.propagation, (params.n_layers, params.dim), generator, device
        )
        if params.structure_branch or params.paradigm == "graph as modality":
            bound = math.sqrt(6 / (graph.n_entities + params.dim))
            self.table = uniform_parameter((graph.n_entities, params.dim), bound, generator)
            self.structure_layers = self.around.layers(generator)
        if params.paradigm == "graph as modality":
            modalities = (*modalities, STRUCTURE)
            width = (params.n_layers + 1) * params.dim
            self.linear[STRUCTURE] = Linear(width, params.modality_dim, generator)
        else:
            self.joint_layers = self.around.layers(generator)
        if params.paradigm != "graph upon modality":
            self.local = LocalFusion(
                modalities,
                (params.modality_dim, params.dim),
                generator,
                kind=params.fusion,
                rank=params.rank,
                adaptive=params.adaptive_weights,
                shared_query=params.shared_query,
                normalised=params.weighs == "normalised",
            )
        self._sparse = {
            name: (SparseRows(inputs), self.linear[name])
            for name, inputs in features.items()
            if isinstance(inputs, FixedMatrix) and params.paradigm == "local to global"
        }
        self.weighted = WeightedConcatenation(modalities)

    def prepare(self, rows: Tensor) -> None:
        """Gets ready to encode these rows (joint ids, without repetition) at training time."""
        self.around.prepare(rows)
        if self._params.paradigm == "graph as modality":  # nothing else is propagated there
            self._prepared = {
                name: inputs.restricted(rows) if isinstance(inputs, FixedMatrix) else inputs[rows]
                for name, inputs in self._features.items()
            }

    def encode(self, rows: Tensor | None) -> dict[str, Tensor]:
        """L2-normalised final vectors of the prepared rows, or of all entities where None."""
        return {"joint": self._joint(self._modality_vectors(rows), all_rows=rows is None)}

    @torch.no_grad()
    def joint_vectors(self) -> Tensor:
        """Final vectors of all entities, [n_entities, dim]."""
        return self.encode(None)["joint"]

    @torch.no_grad()
    def embeddings(self) -> Embeddings:
        """Final and per-modality vectors of all entities."""
        vectors = self._modality_vectors(None)
        joint, n_source = self._joint(vectors, all_rows=True), self.graph.n_source
        return Embeddings(
            joint[:n_source],
            joint[n_source:],
            by_modality={
                name: (modality[:n_source], modality[n_source:])
                for name, modality in vectors.items()
            },
            modality_weights=self.weighted.weights(),
        )

    def _modality_vectors(self, rows: Tensor | None) -> dict[str, Tensor]:
        features = self._features if rows is None else self._prepared
        return {name: self.linear[name](inputs) for name, inputs in features.items()}

    def _joint(self, vectors: dict[str, Tensor], *, all_rows: bool) -> Tensor:
        params, around = self._params, self.around
        directions = around.directions()
        structure = []
        if params.structure_branch or params.paradigm == "graph as modality":
            average = torch.tanh(around.means @ self.table)
            structure = [
                around.chosen(average, all_rows=all_rows),
                *around.blocks(average, self.structure_layers, directions, all_rows=all_rows),
            ]
        if params.paradigm == "graph as modality":
            brought = self.linear[STRUCTURE](torch.cat(structure, dim=1))
            vectors = {**vectors, STRUCTURE: brought}
            parts = [torch.tanh(self.weighted(vectors)), self.local(vectors)]
        elif params.paradigm == "graph upon modality":
            propagated = {}
            for name, modality in vectors.items():
                start = normalize(modality, dim=1)
                blocks = around.blocks(start, self.joint_layers, directions, all_rows=all_rows)
                own = around.chosen(start, all_rows=all_rows)
                propagated[name] = torch.cat([own, *blocks], dim=1)
            parts = [*structure, self.weighted(propagated)]
        else:
            fused = self.local(vectors, self._sparse)
            blocks = around.blocks(fused, self.joint_layers, directions, all_rows=all_rows)
            if params.first_block == "fused":
                first = around.chosen(fused, all_rows=all_rows)
            else:
                first = torch.tanh(
                    self.weighted(
                        {
                            name: around.chosen(modality, all_rows=all_rows)
                            for name, modality in vectors.items()
                        }
                    )
                )
            parts = [*structure, first, *blocks]
        return normalize(torch.cat(parts, dim=1), dim=1)


def _features(
    view: TrainView,
    graph: JointGraph,
    modalities: tuple[str, ...],
    params: LoginMEAParams,
    ctx: RunContext,
) -> dict[str, Tensor | FixedMatrix]:
    """Inputs of the linear encoders; counts and bags are mostly zeros and stored as such."""
    others = tuple(name for name in modalities if name in ("relation", "attribute"))
    found: dict[str, Tensor | FixedMatrix] = {}
    bags = input_features(view, graph, others, ctx)
    for name in modalities:
        if name in bags:
            binary = name == "relation" and params.relation_values == "binary"
            found[name] = FixedMatrix.of((bags[name] > 0).float() if binary else bags[name])
        elif params.lacking_image == "neighbour mean":
            found[name] = neighbour_mean_features(view, name, graph, ctx).to(ctx.device)
        else:
            found[name] = modality_features(view, name, ctx).to(ctx.device)
    return found
