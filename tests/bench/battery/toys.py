"""A method of a few lines that passes the battery; tests break one thing in it each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.methods.core.base import Embeddings, Method, RunContext
from mmea_bench.methods.core.inputs.features import attribute_bags
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.training.loop import Schedule, train
from mmea_bench.methods.core.training.optimisers import adamw


@dataclass(frozen=True)
class ToyParams:
    modalities: tuple[str, ...] = ("attribute", "image")
    dim: int = 16
    learning_rate: float = 0.05
    epochs: int = 40
    late_start: int = 20
    late_noise: float = 0.0
    is_scored_otherwise: bool = False


class Toy(Method):
    """Linear layers on what entities have, drawn together on the seeds."""

    modalities: ClassVar[tuple[str, ...]] = ("attribute", "image")
    requires: ClassVar[tuple[str, ...]] = ()
    Params = ToyParams
    variants: ClassVar = {
        "w/o image": {"modalities": ("attribute",)},
        "w/o attribute": {"modalities": ("image",)},
        "late noise": {"late_noise": 0.1},
        "scored otherwise": {"is_scored_otherwise": True},
    }
    no_op_variants: ClassVar = {"scored otherwise": "it trains the same"}

    def skip_reason(self, modalities: tuple[str, ...]) -> str | None:
        return None if self.used_modalities(modalities) else "nothing to read"

    def fit(self, view: TrainView, ctx: RunContext) -> Embeddings:
        graph = JointGraph.of(view)
        params = self.params
        encoder = Encoder(self.inputs(view, graph), params.dim, ctx).to(ctx.device)
        pairs = graph.seed_pairs(view).to(ctx.device)
        noise = ctx.generator("noise")

        def step(epoch: int) -> float:
            return self.step(encoder, pairs, epoch, noise)

        def embed() -> Embeddings:
            return graph.split(encoder().detach())

        schedule = Schedule(params.epochs, adamw(params.learning_rate, 0.01), eval_every=20)
        return train(encoder.parameters(), step, embed, schedule, ctx)

    def inputs(self, view: TrainView, graph: JointGraph) -> dict[str, Tensor]:
        found = {}
        for modality in self.used_modalities(view.modalities):
            if modality == "image":
                found[modality] = torch.tensor(view.joint_features("image").values).float()
            else:
                found[modality] = attribute_bags(graph, 50)
        return found

    def step(self, encoder: Encoder, pairs: Tensor, epoch: int, noise: torch.Generator) -> float:
        vectors = encoder()
        if epoch > self.params.late_start and self.params.late_noise:
            drawn = torch.randn(vectors.shape, generator=noise).to(vectors.device)
            vectors = vectors + self.params.late_noise * drawn
        scores = vectors[pairs[:, 0]] @ vectors[pairs[:, 1]].T
        loss = cross_entropy(10 * scores, torch.arange(len(pairs), device=scores.device))
        loss.backward()  # type: ignore[no-untyped-call]
        return float(loss.detach())


class Encoder(nn.Module):
    def __init__(self, inputs: dict[str, Tensor], dim: int, ctx: RunContext) -> None:
        super().__init__()
        self.inputs = {name: rows.to(ctx.device) for name, rows in inputs.items()}
        generator = ctx.generator("weights")
        self.weights = nn.ParameterDict(
            {
                name: nn.Parameter(0.1 * torch.randn(rows.shape[1], dim, generator=generator))
                for name, rows in inputs.items()
            }
        )

    def forward(self) -> Tensor:
        parts = [normalize(self.inputs[name] @ self.weights[name], dim=1) for name in self.weights]
        return normalize(torch.cat(parts, dim=1), dim=1)


def broken(**changes: Any) -> type[Toy]:
    """The toy with other attributes or methods."""
    return type("Broken", (Toy,), {"__doc__": Toy.__doc__, **changes})
