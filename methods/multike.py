"""MultiKE: names, relations and attribute values as three views of an entity, and their sum.

Names (those of the URIs, not their translations) and values are frozen vectors of words; relations
are translations; attributes a CNN of attribute and value. Seed partners take each other's place in
triples, and predicates of nearly equal names do so softly. Files that give attribute names alone
(DBP15K's) leave the attribute view out.

The released code draws nearest negatives among the entities of all links, test links included;
here they are drawn among all entities.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.datasets.core.paper import Paper
from mmea_bench.methods.core.base import Embeddings, Method, RunContext, Scoring
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.inputs.names import NameForm, entity_names
from mmea_bench.methods.core.settings import taken_from
from mmea_bench.methods.core.training.loop import Schedule, train
from mmea_bench.methods.parts.multike.combination import (
    SharedSpaceSettings,
    shared_space,
    weighted_sum,
)
from mmea_bench.methods.parts.multike.facts import attribute_facts
from mmea_bench.methods.parts.multike.literals import (
    LiteralSettings,
    cleaned_name,
    literal_vectors,
)
from mmea_bench.methods.parts.multike.training import (
    AttributeView,
    RelationView,
    SharedSpace,
    ViewSettings,
)


@dataclass(frozen=True)
class MultiKEParams:
    """Hyper-parameters of MultiKE; defaults are those of its released code and ``args.json``."""

    modalities: tuple[str, ...] = ("structure", "attribute", "name")
    names: NameForm = "original"  # of the URIs, code; given: translated ones
    # No source says which of the printed combinations the quoted numbers stand on.
    combination: Literal["shared", "average", "weighted", "space"] = "shared"  # ITC
    word_file: str = ""  # code: fastText wiki-news-300d-1M; any GloVe or fastText text file
    n_words: int = 5  # of a literal, code
    layers: tuple[int, ...] = (1024, 512, 75)  # of the literal encoder, code
    encoder_epochs: int = 100  # code; 0 is a random projection
    encoder_batch_size: int = 5000  # code
    encoder_learning_rate: float = 1e-3  # code
    fewest_triples: int = 10  # that an attribute must have, code
    n_negatives: int = 10  # code
    truncation: float = 0.02  # 1 - epsilon, code
    refresh_every: int = 20  # code
    batch_size: int = 5000  # code
    learning_rate: float = 1e-3  # Adagrad, code
    shared_learning_rate: float = 4e-3  # code
    predicate_from: int = 10  # code
    predicate_every: int = 10  # ours; no source says when similarities are renewed
    name_threshold: float = 0.9  # code
    predicate_threshold: float = 0.85  # code
    name_weight: float = 0.7  # code
    alone_weight: float = 0.2  # code
    orthogonality: float = 2.0  # of the space learnt last, code
    map_decay: float = 1e-4  # code
    epochs: int = 200  # code
    space_epochs: int = 200  # code
    eval_every: int = 10  # code

    @property
    def dim(self) -> int:
        """Of all vectors; 75 in the code."""
        return self.layers[-1]


class MultiKE(Method):
    """MultiKE with the shared space that is trained along (ITC)."""

    paper = Paper(
        authors="Zhang, Sun, Hu, Chen, Guo, Qu",
        title="Multi-view Knowledge Graph Embedding for Entity Alignment",
        venue="IJCAI",
        year=2019,
        url="https://www.ijcai.org/proceedings/2019/754",
        code_url="https://github.com/nju-websoft/MultiKE",
    )
    modalities: ClassVar[tuple[str, ...]] = MultiKEParams.modalities
    Params = MultiKEParams
    published_scoring = Scoring("cosine", csls=0)  # code
    variants: ClassVar = {
        "average": {"combination": "average"},
        "weighted": {"combination": "weighted"},
        "SSL": {"combination": "space"},
        "w/o structure": {"modalities": ("attribute", "name")},
        "w/o attribute": {"modalities": ("structure", "name")},
        "w/o name": {"modalities": ("structure", "attribute")},
        "random projection": {"encoder_epochs": 0},
        "translated names": {"names": "given"},
    }
    no_op_variants: ClassVar = {
        "translated names": "the names in URIs are the given ones where nothing was translated"
    }
    test_params: ClassVar = {
        "layers": (64, 32),
        "encoder_epochs": 2,
        "fewest_triples": 2,
        "epochs": 16,
        "space_epochs": 16,
        "batch_size": 500,
        "learning_rate": 0.02,  # a small table has large values, and an epoch one step
        "shared_learning_rate": 0.1,
        "refresh_every": 5,
        "predicate_from": 4,
        "predicate_every": 4,
        "eval_every": 10,
    }

    def skip_reason(self, modalities: tuple[str, ...]) -> str | None:
        """Why MultiKE cannot run: the dataset has nothing for any of its views."""
        if self.used_modalities(modalities):
            return None
        return "the dataset has nothing for any of the views"

    def fit(self, view: TrainView, ctx: RunContext) -> Embeddings:
        """Trains all views and returns their combination, [n_entities, dim] on each side."""
        params: MultiKEParams = self.params
        views = Views(view, self.used_modalities(view.modalities), params, ctx)
        if params.combination != "space":
            return views.trained(params, ctx)
        # The first stage is scored no more than the frozen views are.
        views.trained(params, dataclasses.replace(ctx, monitor=None, tick=None))
        n_parameters = ctx.log.n_parameters
        settings = taken_from(params, SharedSpaceSettings)
        found = shared_space(views.vectors(), views.n_source, settings, ctx)
        ctx.log.n_parameters += n_parameters
        return found


def cleaned_names(view: TrainView, params: MultiKEParams) -> list[str]:
    """Cleaned name of every entity of both KGs, [n_entities]."""
    return [cleaned_name(name) for name in entity_names(view, params.names)]


class Views:
    """The views that a dataset allows, and the space that they share.

    Args:
        view: Dataset.
        used: Modalities used.
        params: Hyper-parameters.
        ctx: Device, generators and log.
    """

    def __init__(
        self, view: TrainView, used: tuple[str, ...], params: MultiKEParams, ctx: RunContext
    ) -> None:
        graph = JointGraph.of(view)
        self.n_source, settings = graph.n_source, taken_from(params, ViewSettings)
        names = cleaned_names(view, params) if "name" in used else []
        values: list[str] = []
        if "attribute" in used:
            facts, values = attribute_facts(view, graph, params.fewest_triples)
        if "attribute" in used and not values:
            ctx.log.simulated["attribute_values"] = (
                "no attribute of these files has values enough: the attribute view is left out"
            )
        # One encoder for both, as in the code.
        literals = literal_vectors([*names, *values], taken_from(params, LiteralSettings), ctx)
        self._name = literals[: len(names)]
        self._relation = self._attribute = None
        if "structure" in used and len(graph.triples):
            self._relation = RelationView(view, graph, settings, ctx)
        if values:
            rest = facts, literals[len(names) :], settings, ctx
            self._attribute = AttributeView(view, graph, *rest)
        trained = [part for part in (self._relation, self._attribute) if part is not None]
        self._shared: SharedSpace | None = None
        if params.combination == "shared":
            sources: list[Callable[[], Tensor]] = [part.vectors for part in trained]
            sources += [lambda: self._name] if len(self._name) else []
            tables = [part.entities for part in trained]
            self._shared = SharedSpace(graph.n_entities, sources, tables, settings, ctx)

    def parameters(self) -> list[nn.Parameter]:
        """What is trained."""
        parts = [part for part in (self._relation, self._attribute) if part is not None]
        shared = [self._shared.entities] if self._shared is not None else []
        return [parameter for part in parts for parameter in part.parameters()] + shared

    def vectors(self) -> dict[str, Tensor]:
        """Unit rows of all entities by view, without gradients."""
        found = {"name": self._name} if len(self._name) else {}
        with torch.no_grad():
            if self._relation is not None:
                found["relation"] = self._relation.vectors()
            if self._attribute is not None:
                found["attribute"] = self._attribute.vectors()
        return found

    def trained(self, params: MultiKEParams, ctx: RunContext) -> Embeddings:
        """Trains in the order of the released code; returns the combination of the best epoch."""

        def step(epoch: int) -> float:
            loss = self._relation.epoch(epoch) if self._relation is not None else 0.0
            loss += self._attribute.epoch(epoch) if self._attribute is not None else 0.0
            return loss + (self._shared.epoch() if self._shared is not None else 0.0)

        schedule = Schedule(params.epochs, None, eval_every=params.eval_every)
        return train(
            self.parameters(), step, lambda: self._combined(params.combination), schedule, ctx
        )

    def _combined(self, combination: str) -> Embeddings:
        views = self.vectors()
        n_source = self.n_source
        weights: dict[str, float] = {}
        if self._shared is not None:
            with torch.no_grad():
                joint = self._shared.vectors()
        elif combination == "weighted":
            joint, weights = weighted_sum(views)
        else:
            joint = torch.stack(list(views.values())).sum(dim=0)
        parts = {name: (rows[:n_source], rows[n_source:]) for name, rows in views.items()}
        return Embeddings(
            joint[:n_source], joint[n_source:], by_modality=parts, modality_weights=weights
        )
