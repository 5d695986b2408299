"""BERT-INT: pairs are ranked by how their names, neighbours and attribute values agree.

The first step makes comparable vectors of texts and gives every source entity its nearest targets;
the second compares the sets of neighbours and of values of these pairs alone, and a small network
ranks them. No graph aggregation takes part.

The released code fine-tunes multilingual BERT in its first step; here the text encoder is frozen
and its dense layer alone is trained, which the log says. Its candidates and mined negatives are the
entities of the links, which no training here is told; ours are all entities (candidates: all
without a seed link).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize, relu

from mmea_bench.datasets.core.errors import UserError
from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.datasets.core.paper import Paper
from mmea_bench.datasets.core.regular_files import read_regular
from mmea_bench.methods.core.base import Alignment, RunContext, Scoring
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.inputs.literals import AttributeValues
from mmea_bench.methods.core.inputs.names import NameForm, entity_names
from mmea_bench.methods.core.inputs.text_encoders import text_vectors
from mmea_bench.methods.core.inputs.text_method import TextMethod
from mmea_bench.methods.core.layers.encoders import xavier_normal
from mmea_bench.methods.core.pair_scores import PairScores
from mmea_bench.methods.core.settings import taken_from
from mmea_bench.methods.core.training.loop import Schedule, train
from mmea_bench.methods.core.training.minibatch import MiniBatchSteps, shuffled_batches
from mmea_bench.methods.core.training.negatives import nearest_entities
from mmea_bench.methods.parts.bert_int.basic_unit import UnitSettings, trained_unit
from mmea_bench.methods.parts.bert_int.interactions import (
    MemberSets,
    neighbours,
    without_many_values,
)

_MISS = -2.0
"""Score of what is no candidate; the network's lie in [-1, 1]."""


@dataclass(frozen=True)
class BertIntParams:
    """Hyper-parameters of BERT-INT; defaults are those of its released code."""

    modalities: tuple[str, ...] = ("structure", "attribute", "name")
    text_encoder: str = "mbert"  # code; see methods/core/inputs/text_encoders.py for the others
    names: NameForm = "original"  # of the URIs, code; given: translated ones
    descriptions: str = ""  # file of lines "URI, tab, text"; code: DBpedia 2016-10
    max_tokens: int = 128  # code
    max_value_tokens: int = 64  # code
    interactions: bool = True  # False returns the vectors of the first step
    dim: int = 300  # code
    unit_epochs: int = 5  # code
    unit_batch_size: int = 24  # code
    unit_learning_rate: float = 1e-5  # AdamW, code
    unit_margin: float = 3.0  # L1, code
    unit_negatives: int = 2  # code
    unit_pool: int = 128  # code
    unit_dropout: float = 0.1  # code
    most_members: int = 50  # neighbours, and values, code
    most_values: int = 3  # of an entity and attribute; with more none is kept, code
    candidates: int = 50  # code
    hidden: int = 11  # code
    n_negatives: int = 5  # code
    margin: float = 1.0  # code
    batch_size: int = 128  # code
    learning_rate: float = 5e-4  # Adam, code
    epochs: int = 200  # code
    eval_every: int = 10  # code


class BertInt(TextMethod):
    """BERT-INT on names, or on descriptions where a file of them is named."""

    paper = Paper(
        authors="Tang, Zhang, Chen, Yang, Chen, Li",
        title="BERT-INT: A BERT-based Interaction Model for Knowledge Graph Alignment",
        venue="IJCAI",
        year=2020,
        url="https://www.ijcai.org/proceedings/2020/439",
        code_url="https://github.com/kosugi11037/bert-int",
    )
    modalities: ClassVar[tuple[str, ...]] = BertIntParams.modalities
    requires: ClassVar[tuple[str, ...]] = ("name",)
    Params = BertIntParams
    # Code: the network's scores; entities outside the candidates count as missed.
    published_scoring = Scoring(csls=0)
    variants: ClassVar = {
        "basic unit": {"interactions": False, "modalities": ("name",)},
        "w/o structure": {"modalities": ("attribute", "name")},
        "w/o attribute": {"modalities": ("structure", "name")},
        "offline encoder": {"text_encoder": "minilm", "names": "given"},
    }
    test_params: ClassVar = {
        "text_encoder": "hashed",
        "dim": 64,
        "unit_epochs": 2,
        "candidates": 20,
        "epochs": 30,
        "learning_rate": 5e-3,
        "eval_every": 10,
    }

    def chosen_modalities(self, offered: tuple[str, ...]) -> tuple[str, ...]:
        """Names; what is compared beside them where pairs are ranked."""
        chosen = super().chosen_modalities(offered)
        return tuple(name for name in chosen if name == "name" or self.params.interactions)

    def fit(self, view: TrainView, ctx: RunContext) -> Alignment:
        """Scores of the nearest targets of each source entity; all others are missed."""
        params: BertIntParams = self.params
        graph = JointGraph.of(view)
        used = self.chosen_modalities(view.modalities)
        encoder = params.text_encoder
        ctx.log.simulated["basic_unit"] = (
            f"the text encoder ({encoder}) is frozen: BERT-INT fine-tunes multilingual BERT"
        )
        texts = text_vectors(
            entity_texts(view, params), encoder, "mean tokens", ctx, max_tokens=params.max_tokens
        ).to(ctx.device)
        settings = taken_from(params, UnitSettings)
        unit = trained_unit(texts, graph.seed_pairs(view), graph.n_source, settings, ctx)
        with torch.no_grad():
            vectors = normalize(unit(texts), dim=1)
        if not params.interactions:
            return graph.split(vectors)
        views = member_sets(view, graph, used, vectors, unit, params, ctx)
        return ranked(view, graph, vectors, views, params, ctx)


def entity_texts(view: TrainView, params: BertIntParams) -> list[str]:
    """Description of each entity, or its name where there is none, [n_entities].

    Raises:
        UserError: If the file of descriptions cannot be read.
    """
    names = entity_names(view, params.names)
    if not params.descriptions:
        return names
    path = Path(params.descriptions).expanduser()
    try:
        lines = read_regular(path).decode("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"The descriptions at {path} cannot be read: {error}.") from error
    described = dict(line.split("\t", 1) for line in lines if "\t" in line)
    uris = [*view.source.entities, *view.target.entities]
    return [described.get(uri) or name for uri, name in zip(uris, names, strict=True)]


def member_sets(
    view: TrainView,
    graph: JointGraph,
    used: tuple[str, ...],
    vectors: Tensor,
    unit: nn.Module,
    params: BertIntParams,
    ctx: RunContext,
) -> list[MemberSets]:
    """Neighbours, and attribute values with the entity's own name (no description) among them.

    Attribute values are left out where the files give attribute names alone.
    """
    found, size, most = [], graph.n_entities, params.most_members
    if "structure" in used:
        generator = ctx.numpy_generator("neighbours")
        found.append(MemberSets.of(*neighbours(graph), vectors, size, most, generator))
    facts = AttributeValues.of(view, graph)
    facts = facts.chosen(np.array([bool(text) for text in facts.texts], dtype=bool))
    if "attribute" in used and len(facts):
        facts = facts.chosen(
            without_many_values(facts.entities, facts.attributes, params.most_values)
        )
        names = entity_names(view, params.names)
        named = np.array([row for row, name in enumerate(names) if name], dtype=np.int64)
        texts = [*facts.texts, *(names[row] for row in named)]
        rows = {text: row for row, text in enumerate(dict.fromkeys(texts))}
        limit, encoder = params.max_value_tokens, params.text_encoder
        values = text_vectors(list(rows), encoder, "mean tokens", ctx, max_tokens=limit)
        with torch.no_grad():
            encoded = unit(values.to(ctx.device))
        owners = np.concatenate([facts.entities, named])
        members = np.array([rows[text] for text in texts], dtype=np.int64)
        generator = ctx.numpy_generator("values")
        found.append(MemberSets.of(owners, members, encoded, size, most, generator))
    elif "attribute" in used:
        ctx.log.simulated["attribute_values"] = (
            "values are not in these files: they are left out of the comparison"
        )
    return found


def pair_features(pairs: Tensor, vectors: Tensor, views: list[MemberSets]) -> Tensor:
    """Kernel features of all views and the cosine of the texts, [n_pairs, 42 * n_views + 1]."""
    rows, columns = pairs.T
    cosine = (vectors[rows] * vectors[columns]).sum(dim=1, keepdim=True)
    return torch.cat([*(view.features(pairs) for view in views), cosine], dim=1)


class Ranker(nn.Module):
    """Features to one score in [-1, 1]: a hidden layer (ReLU), then tanh; Xavier normal."""

    def __init__(self, n_features: int, hidden: int, generator: torch.Generator) -> None:
        super().__init__()
        self.inner = nn.Parameter(xavier_normal((n_features, hidden), generator))
        self.inner_bias = nn.Parameter(torch.zeros(hidden))
        self.outer = nn.Parameter(xavier_normal((hidden, 1), generator))
        self.outer_bias = nn.Parameter(torch.zeros(1))

    def forward(self, features: Tensor) -> Tensor:
        """[..., n_features] to [...]."""
        hidden = relu(features @ self.inner + self.inner_bias)
        return torch.tanh(hidden @ self.outer + self.outer_bias).squeeze(-1)


def ranked(
    view: TrainView,
    graph: JointGraph,
    vectors: Tensor,
    views: list[MemberSets],
    params: BertIntParams,
    ctx: RunContext,
) -> PairScores:
    """Trains the ranker on seed pairs and returns its scores of the nearest targets."""
    n_source, device = graph.n_source, ctx.device
    seeds = graph.seed_pairs(view).to(device)
    taught = candidate_features(seeds[:, 0], torch.unique(seeds[:, 1]), vectors, views, params)
    right = pair_features(seeds, vectors, views)
    is_free = torch.ones(graph.n_entities, dtype=torch.bool, device=device)
    is_free[seeds.flatten()] = False
    everyone = torch.arange(graph.n_entities, device=device)
    targets = everyone[n_source:][is_free[n_source:]]
    targets = targets if len(targets) else everyone[n_source:]
    asked = candidate_features(everyone[:n_source], targets, vectors, views, params)
    ranker = Ranker(right.shape[1], params.hidden, ctx.generator("ranker")).to(device)
    updates = MiniBatchSteps(torch.optim.Adam(ranker.parameters(), lr=params.learning_rate))
    generator = ctx.generator("ranker negatives")

    def losses() -> Iterator[Tensor]:
        shape = (len(seeds), params.n_negatives)
        drawn = torch.randint(taught[0].shape[1], shape, generator=generator).to(device)
        for rows in shuffled_batches(
            torch.arange(len(seeds), device=device), params.batch_size, generator
        ):
            places = drawn[rows]
            wrong = taught[1][rows.unsqueeze(1), places]
            # The partner itself may be drawn; it teaches nothing.
            counts = taught[0][rows.unsqueeze(1), places] != seeds[rows, 1:]
            gaps = params.margin - ranker(right[rows]).unsqueeze(1) + ranker(wrong)
            yield (relu(gaps) * counts).sum() / counts.sum().clamp_min(1)

    def score(rows: Tensor) -> Tensor:
        scores = torch.full((len(rows), graph.n_entities - n_source), _MISS, device=device)
        return scores.scatter_(1, asked[0][rows] - n_source, ranker(asked[1][rows]))

    def embed() -> PairScores:
        sizes = n_source, graph.n_entities - n_source
        return PairScores(score, *sizes, device, "interactions", dict(ranker.state_dict()))

    schedule = Schedule(params.epochs, None, eval_every=params.eval_every)
    return train(
        ranker.parameters(), lambda _epoch: updates.mean_loss(losses()), embed, schedule, ctx
    )


@torch.no_grad()
def candidate_features(
    sources: Tensor,
    targets: Tensor,
    vectors: Tensor,
    views: list[MemberSets],
    params: BertIntParams,
) -> tuple[Tensor, Tensor]:
    """Nearest targets of source entities, [n, k] joint ids, and the pairs' features, [n, k, f]."""
    near = nearest_entities(vectors, sources, targets, params.candidates, "cosine")
    pairs = torch.stack([sources.repeat_interleave(near.shape[1]), near.flatten()], dim=1)
    return near, pair_features(pairs, vectors, views).view(*near.shape, -1)
