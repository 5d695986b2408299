"""MSNEA: a multi-modal siamese network for entity alignment.

Three views of an entity - structure (TransE), image, attributes with numeric values - are trained
side by side: images take part in a second TransE over the same relation vectors and weigh the
attributes; every view and the fused vector are aligned by a squared contrastive loss over all
combinations of the seeds.

All is from the released code; the paper's text was not available. Two of its slips stay, because
published numbers were made with them: padding takes part in the attention over attributes, and the
target KG's triples are used twice in every epoch (variants take either back).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.datasets.core.paper import Paper
from mmea_bench.methods.core.base import Embeddings, RunContext, Scoring, StopRule, StopScore
from mmea_bench.methods.core.inputs.attribute_texts import attribute_name
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.inputs.text_encoders import text_vectors
from mmea_bench.methods.core.settings import taken_from
from mmea_bench.methods.core.siamese.training import (
    OutputMethod,
    PairRoundParams,
    SiameseSettings,
    train_siamese,
)
from mmea_bench.methods.core.siamese.training_sets import SetForm, TrainingSets
from mmea_bench.methods.core.siamese.translation import BatchEntities, BatchRows, translation_loss
from mmea_bench.methods.core.siamese.unit_vectors import unit_rows
from mmea_bench.methods.parts.msnea.attribute_lists import attribute_lists
from mmea_bench.methods.parts.msnea.contrast import views_contrast
from mmea_bench.methods.parts.msnea.encoder import EncoderParams, Inputs, SiameseEncoder

VIEWS = ("structure", "image", "attribute")
"""Order of the fused vector."""


@dataclass(frozen=True)
class MSNEAParams(PairRoundParams):
    """Hyper-parameters of MSNEA; "code" is the released one, "ours" what it leaves open."""

    modalities: tuple[str, ...] = VIEWS  # encoded
    output: tuple[str, ...] = VIEWS  # in the fused vector and with a contrastive loss of their own
    dim: int = 100  # code
    with_values: bool = True  # numbers of attributes; False: attribute types alone
    padding_counts: bool = True  # padding in the attention over attributes, with logit 0; code
    guided_relations: bool = True  # the second TransE, on images; code
    guided_attributes: bool = True  # images weigh the attributes; code
    target_twice: bool = True  # the target KG's triples are used twice in an epoch; code
    margin: float = 1.0  # of TransE; code
    contrastive_margin: float = 2.0  # code
    text_encoder: str = "bert"  # of attribute names: 768 columns as in the code, encoder unstated
    batch_size: int = 5000  # triples of both KGs per step; code
    learning_rate: float = 0.001  # Adam; code
    epochs: int = 200  # code
    iterative: bool = False  # code; True: mutual nearest neighbours join the seeds, ours
    iterative_every: int = 50  # epochs between two searches; ours
    eval_every: int = 10  # code: 1


class MSNEA(OutputMethod):
    """MSNEA as its released code trains it.

    ``attribute types`` leaves numbers out, as the comparison in MEAformer's and UMAEA's READMEs ran
    it on DBP15K, whose files have no values. A dataset without a single number has no attribute
    view otherwise.
    """

    paper = Paper(
        authors="Chen, Li, Xu, Wu, Wang, Yuan, Chen",
        title="Multi-modal Siamese Network for Entity Alignment",
        venue="KDD",
        year=2022,
        url="https://doi.org/10.1145/3534678.3539244",
        code_url="https://github.com/liyichen-cly/MSNEA",
        code_commit="dfdcda4",
    )
    modalities: ClassVar[tuple[str, ...]] = VIEWS
    requires: ClassVar[tuple[str, ...]] = ("structure",)
    texts_of: ClassVar[tuple[str, ...]] = ("attribute",)
    Params = MSNEAParams
    published_scoring = Scoring("inner", csls=0)  # released code, of vectors of length 1
    published_settings: ClassVar = {"dbp15k-*": {"with_values": False}}  # MEAformer's README
    variants: ClassVar = {
        "attribute types": {"with_values": False},
        "iterative": {"iterative": True},
        # The paper's table of ablations was not available: one row for each part.
        "w/o R": {"output": ("image", "attribute")},
        "w/o image": {"modalities": ("structure", "attribute")},
        "w/o attribute": {"modalities": ("structure", "image")},
        "w/o vision-guided relations": {"guided_relations": False},
        "w/o vision-guided attributes": {"guided_attributes": False},
        # Slips of the released code taken back
        "padding masked": {"padding_counts": False},
        "each triple once": {"target_twice": False},
        "offline encoder": {"text_encoder": "minilm"},
    }
    waits_for_device = (
        "which entities a batch holds, and which triples still cost something, is found there"
    )
    test_params: ClassVar = {
        "epochs": 30,
        "dim": 20,
        "batch_size": 2000,
        "learning_rate": 0.02,
        "iterative_every": 8,
        "eval_every": 10,
        "text_encoder": "hashed",
    }
    paper_stop: ClassVar[StopRule] = "valid"  # MRR on validation links, after every epoch
    paper_stop_score: ClassVar = StopScore("mrr", "src2tgt", csls=0)  # code, left to right alone

    def fit(self, view: TrainView, ctx: RunContext) -> Embeddings:
        """Trains on seed links and triples and returns all entities' fused vectors."""
        params: MSNEAParams = self.params
        graph = JointGraph.of(view)
        inputs = _inputs(view, graph, self.used_modalities(view.modalities), params, ctx)
        settings = taken_from(params, EncoderParams)
        encoder = SiameseEncoder(graph, inputs, settings, ctx).to(ctx.device)
        form = SetForm(pseudo_as_seeds=True, own_relations=True, target_twice=params.target_twice)
        sets = TrainingSets(encoder, graph.seed_pairs(view), params.iterative_every, ctx, form)
        losses = Losses(encoder, params.margin, params.contrastive_margin)

        def of_batch(triples: Tensor, stand_ins: Tensor, at_head: Tensor) -> Tensor:
            """All losses of triples and of all seeds."""
            return losses.of_step(triples, stand_ins, at_head, sets.seeds_of_step(0))

        shared = taken_from(params, SiameseSettings)
        return train_siamese(encoder, sets, of_batch, shared, ctx, rounds_waited=1)


def _inputs(
    view: TrainView, graph: JointGraph, used: tuple[str, ...], params: MSNEAParams, ctx: RunContext
) -> Inputs:
    images = lists = None
    names = torch.empty(0)
    if "image" in used:
        images = torch.tensor(view.joint_features("image").values).to(ctx.device)
    if "attribute" in used and "attribute" in params.output:
        lists = attribute_lists(view, graph, ctx.device, with_values=params.with_values)
    if lists is not None:
        uris = dict.fromkeys([*view.source.attributes, *view.target.attributes])
        texts = [attribute_name(uri) for uri in uris]
        names = text_vectors(texts, params.text_encoder, "mean tokens", ctx).to(ctx.device)
    return Inputs(images, lists, names)


class Losses:
    """Two translation losses and one contrastive loss for each view and for the fused vector.

    Args:
        encoder: Whose vectors are trained.
        margin: Of TransE.
        contrastive_margin: Of partners.
    """

    def __init__(self, encoder: SiameseEncoder, margin: float, contrastive_margin: float) -> None:
        self._encoder, self._margin = encoder, margin
        self._contrastive_margin = contrastive_margin

    def of_step(
        self, triples: Tensor, stand_ins: Tensor, replaces_head: Tensor, seeds: Tensor
    ) -> Tensor:
        """The plain sum of all losses.

        Args:
            triples: [b, 3].
            stand_ins: Entity of each one's negative, [b].
            replaces_head: Whether it takes the head's place, [b].
            seeds: Rows of the seeds, [2 n_seeds], see ``rows_of_pairs``.
        """
        encoder = self._encoder
        ends = (triples[:, 0], triples[:, 2], stand_ins)
        entities = BatchEntities(torch.cat([*ends, seeds]), encoder.entities)
        batch = entities.triples(*ends, triples[:, 1], replaces_head)
        relations = unit_rows(encoder.relations)
        loss = translation_loss(entities.vectors, relations, batch, self._margin)
        in_triples = BatchRows(torch.cat(ends), len(encoder.entities))
        moved = encoder.moved_images(in_triples.rows)
        if moved is not None:
            batch = in_triples.triples(*ends, triples[:, 1], replaces_head)
            loss = loss + translation_loss(moved, relations, batch, self._margin)
        return loss + self.of_views(encoder.views(seeds, entities.of(seeds)))

    def of_views(self, views: dict[str, Tensor]) -> Tensor:
        """``(1 - y) S^2 + y [margin - S]+^2``, averaged over n x n, of the fused and of each view.

        S is the cosine, of attribute vectors the inner product; y says who is partner of whom.

        Args:
            views: The sources' vectors, then in the same order their partners', [2 n, dim] each.
        """
        return views_contrast(views, self._contrastive_margin)
