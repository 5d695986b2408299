"""SelfKG: entities of one KG are pushed apart on top of a frozen language model's name vectors.

No seed link is read. An entity's vector joins its name with an attention over its neighbours'
names; its positive is the vector that a slow copy of the encoder gives it, its negatives are other
entities of its own KG.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor
from torch.nn.functional import normalize

from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.datasets.core.paper import Paper
from mmea_bench.methods.core.base import Embeddings, RunContext, Scoring, StopScore
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.inputs.names import (
    NGRAMS,
    WORDS,
    NameForm,
    entity_names,
    name_vectors,
)
from mmea_bench.methods.core.inputs.text_encoders import text_vectors
from mmea_bench.methods.core.inputs.text_method import TextMethod
from mmea_bench.methods.core.self_supervised.contrastive_stage import (
    ContrastSettings,
    contrastive_stage,
)
from mmea_bench.methods.core.self_supervised.neighbourhood import neighbour_table


@dataclass(frozen=True)
class SelfKGParams:
    """Hyper-parameters of SelfKG; defaults are those of its released code and run script."""

    modalities: tuple[str, ...] = ("structure", "name")
    # Code; ``words`` are the dataset's word vectors, ``ngrams`` hashed n-grams of letters; see
    # methods/core/inputs/text_encoders.py for the others.
    text_encoder: str = "labse"
    names: NameForm = "original"  # of the URIs, code; given: translated ones
    max_tokens: int = 130  # code
    contrast: bool = True  # False leaves the name vectors as they are
    n_neighbours: int = 20  # the entity itself included, code
    dropout: float = 0.3  # of the attention, code
    temperature: float = 0.08  # tau, code
    momentum: float = 0.9999  # of the key encoder, code
    key_start: Literal["copy", "own"] = "own"  # random values of its own, code
    queued: Literal["keys", "entities"] = "keys"  # code: entities, at 60 times the cost
    queue_batches: int = 64  # per KG, code
    batch_size: int = 64  # code
    epochs: int = 150  # run script
    learning_rate: float = 1e-6  # Adam, code
    halved_every: int = 10  # epochs; the rate is back in the next one, code
    positive: Literal["momentum", "constant"] = "momentum"  # code
    eval_every: int = 5  # code: 1

    @property
    def stage(self) -> ContrastSettings:
        """Of the part that SelfMEA has as its first stage."""
        return ContrastSettings(
            dropout=self.dropout,
            temperature=self.temperature,
            momentum=self.momentum,
            queue_batches=self.queue_batches,
            stage1_batch_size=self.batch_size,
            stage1_epochs=self.epochs,
            stage1_learning_rate=self.learning_rate,
            positive=self.positive,
            eval_every=self.eval_every,
            key_start=self.key_start,
            queued=self.queued,
            halved_every=self.halved_every,
        )


class SelfKG(TextMethod):
    """SelfKG; ``names only`` says what its training adds."""

    paper = Paper(
        authors="Liu, Hong, Wang, Chen, Kharlamov, Dong, Tang",
        title=(
            "SelfKG: Self-Supervised Entity Alignment in Knowledge Graphs without Labeled Alignment"
        ),
        venue="WWW",
        year=2022,
        url="https://arxiv.org/abs/2203.01044",
        code_url="https://github.com/THUDM/SelfKG",
    )
    modalities: ClassVar[tuple[str, ...]] = SelfKGParams.modalities
    requires: ClassVar[tuple[str, ...]] = ("name",)
    Params = SelfKGParams
    # Code: L2 on unit vectors, which ranks as the cosine does, among all target entities.
    published_scoring = Scoring("cosine", csls=0, candidates="all")
    paper_stop = "valid"
    paper_stop_score = StopScore("hits@1", "src2tgt", csls=0)
    variants: ClassVar = {
        "names only": {"contrast": False, "modalities": ("name",)},
        "w/o structure": {"modalities": ("name",)},
        "as released": {"queued": "entities", "eval_every": 1},
        "copied key encoder": {"key_start": "copy"},
        "constant positive": {"positive": "constant"},
        "translated names": {"names": "given"},
        "offline encoder": {"text_encoder": "minilm", "names": "given"},
        "word vectors": {"text_encoder": WORDS, "names": "given"},
    }
    no_op_variants: ClassVar = {
        "translated names": "the names in URIs are the given ones where nothing was translated"
    }
    idle_variants: ClassVar = {
        "w/o structure": "an attention over the entity alone is 1, whatever its weights"
    }
    waits_for_device = "the distinct neighbours of a batch are found there"
    test_params: ClassVar = {
        "text_encoder": "hashed",
        "epochs": 10,  # the first only fills the queue
        "batch_size": 32,
        "queue_batches": 2,
        "n_neighbours": 6,
        "halved_every": 2,
        "eval_every": 2,
    }

    def chosen_modalities(self, offered: tuple[str, ...]) -> tuple[str, ...]:
        """Names; structure where it is trained with."""
        chosen = super().chosen_modalities(offered)
        return tuple(name for name in chosen if name == "name" or self.params.contrast)

    @property
    def text_encoder(self) -> str | None:
        """Encoder of the names; None where word vectors or n-grams are their vectors."""
        encoder: str = self.params.text_encoder
        return None if encoder in (WORDS, NGRAMS) else encoder

    @property
    def needs_seeds(self) -> bool:
        """No seed link is read."""
        return False

    def fit(self, view: TrainView, ctx: RunContext) -> Embeddings:
        """Trains without seed links; vectors of all entities, [n_entities, dim] on each side."""
        params: SelfKGParams = self.params
        graph = JointGraph.of(view)
        names = encoded_names(view, params, ctx).to(ctx.device)
        if not params.contrast:
            return graph.split(names)
        used = self.chosen_modalities(view.modalities)
        width = params.n_neighbours if "structure" in used else 1
        table = torch.from_numpy(neighbour_table(graph, width)).to(ctx.device)
        return contrastive_stage(names, table, graph.n_source, params.stage, ctx)


def encoded_names(view: TrainView, params: SelfKGParams, ctx: RunContext) -> Tensor:
    """L2-normalised sums of the token vectors of all names, [n_entities, dim].

    Of word vectors it is the mean; their dimension is logged, since they stand in for a language
    model. Word vectors and n-grams are always of the given names.
    """
    kind = params.text_encoder
    if kind in (WORDS, NGRAMS):
        vectors = name_vectors(view, kind, ctx)
        ctx.log.simulated["text_encoder"] = (
            f"{kind} of {vectors.shape[1]} dimensions stand in for a pretrained text encoder"
        )
        return vectors
    texts = entity_names(view, params.names)
    summed = text_vectors(texts, kind, "sum tokens", ctx, max_tokens=params.max_tokens)
    return normalize(summed, dim=1)
