"""CLAMEA: latent modal associations for multi-modal entity alignment.

Structure (TransE), image and attribute vectors are each sharpened by self-attention (MFE); an
attention flow fuses image and attributes with structure (DMAFF), VAEs generate what an entity
lacks (DMMG), and what modalities share is extracted (CMAE) before they are concatenated.

Sources: "paper" is EMNLP Findings 2025; "lineage" is the released code of TMEA, from which CLAMEA
is derived and whose sizes it shares; "ours" fills what neither states.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import embedding, normalize

from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.datasets.core.paper import Paper
from mmea_bench.methods.core.base import Embeddings, RunContext, Scoring, StopRule, StopScore
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.settings import taken_from
from mmea_bench.methods.core.siamese.pair_losses import ContrastiveForm, modal_contrastive_loss
from mmea_bench.methods.core.siamese.training import (
    OutputMethod,
    PairRoundParams,
    SiameseSettings,
    train_siamese,
)
from mmea_bench.methods.core.siamese.training_sets import SetForm, TrainingSets
from mmea_bench.methods.core.siamese.translation import BatchEntities, translation_loss
from mmea_bench.methods.core.siamese.unit_vectors import unit_rows
from mmea_bench.methods.parts.clamea.modal_encoder import ModalEncoder, modality_inputs
from mmea_bench.methods.parts.clamea.modal_generation import BASE
from mmea_bench.methods.parts.clamea.modal_interactions import ORDER, InteractionParams


@dataclass(frozen=True)
class CLAMEAParams(InteractionParams, PairRoundParams):
    """Hyper-parameters of CLAMEA; those of the network stand in ``InteractionParams``."""

    vae_sample: int = 5000  # entities that may train the VAEs besides the seeds; ours, lineage 0
    entity_batch: int = 512  # per step of L_VAE, L_m, L_s, drawn from theirs; ours, 0: all
    alpha: float = 0.01  # weight of L_m; paper, sweep of five values
    beta: float = 0.01  # weight of L_s; paper, sweep of five values
    margin: float = 1.0  # of TransE; paper
    contrastive_margin: float = 2.0  # paper
    text_encoder: str = "bert"  # paper
    max_tokens: int = 512  # BERT's limit; ours
    batch_size: int = 5000  # triples of both graphs per step; paper, meaning from the lineage
    sampled_pairs: int = 512  # seeds per step, drawn, unbiased; ours, 0: all, lineage
    negatives: int = 50  # per partner, by weight, in L_cl; ours; 0: all seeds, lineage, no learning
    joint_product: bool = True  # joint vectors in L_cl by inner product, lineage; paper: cosine
    learning_rate: float = 0.001  # Adam; paper
    epochs: int = 300  # lineage
    iterative: bool = True  # paper
    iterative_every: int = 70  # after epochs 70, 140, 210, 280; lineage
    pseudo_weight: float = 0.1  # of the pseudo-pairs' losses; lineage
    pseudo_batch: int = 5000  # pseudo-pairs at once; all make one step per epoch, lineage
    pseudo_as_seeds: bool = False  # pseudo-pairs in every step, as in MRAEA; else as the two above
    eval_every: int = 10  # lineage: 1 from epoch 70 on


class CLAMEA(OutputMethod):
    """CLAMEA by the text of its paper and its lineage, in the reading that learns.

    Three defaults depart from the letter, because by it nothing is learned or the paper's own parts
    do harm: 50 negatives per partner in L_cl, joint vectors compared there by inner product (as in
    the lineage), and self-attention with a residual. ``as printed`` takes all three back; ``all
    negatives``, ``cosine joint`` and ``literal MFE`` one each.

    Each entity has one vector per modality, so attention has a single key unless the vector is cut:
    ``attn_tokens`` = 1 is the lineage's form, in which gates and queries are of no influence.
    ``w/o G`` is then the full model; ``T=10 w/o G`` and ``cmae fused dmaff`` have ten tokens and
    stand against ``T=10``. Mutual nearest neighbours are looked for among all entities
    outside the seeds, since a training here knows no test entities; the lineage looks among the
    partners of validation and test links only.
    """

    paper = Paper(
        authors="Ji, Cheng, Zhang, Lu",
        title="Capturing Latent Modal Association For Multimodal Entity Alignment",
        venue="EMNLP Findings",
        year=2025,
        url="https://aclanthology.org/2025.findings-emnlp/",
        interpretation="No code was released; the paper leaves constants open.",
    )
    modalities: ClassVar[tuple[str, ...]] = ORDER
    requires: ClassVar[tuple[str, ...]] = (BASE,)
    texts_of: ClassVar[tuple[str, ...]] = ("attribute",)
    Params = CLAMEAParams
    published_scoring = Scoring("cosine", csls=0)  # paper; both datasets share the defaults
    # Figure 5 sweeps five values each; its axes' values are not printed.
    grid: ClassVar = {
        "alpha": (1e-4, 1e-3, 1e-2, 1e-1, 1.0),
        "beta": (1e-4, 1e-3, 1e-2, 1e-1, 1.0),
    }
    variants: ClassVar = {
        # Table 2
        "w/o R": {"output": ("image", "attribute")},
        "w/o V": {"output": ("structure", "attribute")},
        "w/o A": {"output": ("image", "structure")},
        "w/o MFE": {"mfe": False},
        "w/o DMAFF": {"flow": False, "aff_fusion": "Cat"},
        "w/o DMMG": {"dmmg": False},
        "w/o CMAE": {"cmae": False},
        "w/o IT": {"iterative": False},
        "w/o MAF": {"flow": False},
        "w/o L_m": {"alpha": 0.0},
        "w/o L_s": {"beta": 0.0},
        "w/o G": {"gate": False},
        # Figures 4, 6 and 8
        "L_sf": {"fused_orthogonality": True},
        "CM of TMEA": {"cmae_with_fused": False},
        **{f"AFF {rule}": {"aff_fusion": rule} for rule in ("Cat", "Wcat", "Dcat", "Wsum")},
        **{f"MGF {rule}": {"mgf_fusion": rule} for rule in ("Cat", "Wcat", "Dcat", "Wsum")},
        **{f"FMF {rule}": {"fmf_fusion": rule} for rule in ("Wcat", "Dcat", "Wsum", "Dsum")},
        # Readings of what the paper leaves open
        "as printed": {
            "negatives": 0,
            "joint_product": False,
            "mfe_residual": False,
            "sampled_pairs": 0,
            "entity_batch": 0,
        },
        "all negatives": {"negatives": 0},
        "cosine joint": {"joint_product": False},
        "literal MFE": {"mfe_residual": False},
        "T=10": {"attn_tokens": 10},
        "T=10 w/o G": {"attn_tokens": 10, "gate": False},
        "cmae fused dmaff": {"cmae_fused": "dmaff", "attn_tokens": 10},
        "values from the other modality": {"cmae_values": "other"},
        "equal parts": {"equal_parts": True},
        "pseudo-pairs as seeds": {"pseudo_as_seeds": True},
        "lineage VAE": {
            "vae_loss": "lineage",
            "vae_sample": 0,
            "entity_batch": 0,
            "sampled_pairs": 0,
        },
        "offline encoder": {"text_encoder": "minilm"},
        # Every mean over seeds and entities in full, at six to seven times the cost
        "nothing sampled": {"sampled_pairs": 0, "entity_batch": 0},
    }
    no_op_variants: ClassVar = {
        "w/o G": "with one token per vector the gate has nothing to act on; T=10 w/o G has ten",
    }
    idle_variants: ClassVar = {
        **dict.fromkeys(
            ("w/o R", "w/o V", "w/o A"),
            "the attention of the modality that stands in no joint vector has no loss",
        ),
        "w/o DMMG": "its attention flows are the inputs of the generation that is left out",
    }
    waits_for_device = (
        "which entities a batch holds, and which triples still cost something, is found there"
    )
    test_params: ClassVar = {
        "epochs": 16,
        "dim": 20,
        "latent": 8,
        "batch_size": 10_000,
        "vae_sample": 50,
        "entity_batch": 100,
        "learning_rate": 0.02,
        "iterative_every": 8,
        "eval_every": 10,
        "text_encoder": "hashed",
        "max_tokens": 24,
    }
    paper_stop: ClassVar[StopRule] = "valid"  # where there are validation links
    paper_stop_score: ClassVar = StopScore("mrr", "src2tgt", csls=0)

    def fit(self, view: TrainView, ctx: RunContext) -> Embeddings:
        """Trains on seed links and triples and returns all entities' joint vectors."""
        params: CLAMEAParams = self.params
        graph = JointGraph.of(view)
        used = self.used_modalities(view.modalities)
        inputs = modality_inputs(view, used, params.text_encoder, params.max_tokens, ctx)
        encoder = ModalEncoder(graph, inputs, params, ctx).to(ctx.device)
        form = SetForm(params.pseudo_as_seeds)
        sets = TrainingSets(encoder, graph.seed_pairs(view), params.iterative_every, ctx, form)
        losses = Losses(encoder, params, ctx)

        def of_batch(triples: Tensor, stand_ins: Tensor, at_head: Tensor) -> Tensor:
            """All losses of triples and of the seeds."""
            seeds = sets.seeds_of_step(params.sampled_pairs)
            return losses.of_triples(triples, stand_ins, at_head, seeds, sets.n_with)

        settings = taken_from(params, SiameseSettings)
        of_pairs = losses.of_pseudo_pairs
        return train_siamese(
            encoder, sets, of_batch, settings, ctx, of_pseudo_pairs=of_pairs, rounds_waited=2
        )


class Losses:
    """``L_all = L_TransE + L_mcl + beta L_s + L_VAE + alpha L_m``."""

    def __init__(self, encoder: ModalEncoder, params: CLAMEAParams, ctx: RunContext) -> None:
        self._encoder, self._params = encoder, params
        self._form = ContrastiveForm(
            params.contrastive_margin, params.negatives or None, not params.joint_product
        )
        self._noise, self._others = ctx.generator("latents"), ctx.generator("further entities")

    def of_triples(
        self,
        triples: Tensor,
        stand_ins: Tensor,
        replaces_head: Tensor,
        seeds: Tensor,
        n_with: Mapping[str, int],
    ) -> Tensor:
        """L_all of a batch of triples and of the seeds.

        Args:
            triples: [b, 3].
            stand_ins: Entity of each one's negative, [b].
            replaces_head: Whether it takes the head's place, [b].
            seeds: Rows of those of this step, [2 n_seeds], see ``rows_of_pairs``.
            n_with: Number of all seeds that have a modality on both sides.
        """
        params, encoder = self._params, self._encoder
        ends = (triples[:, 0], triples[:, 2], stand_ins)
        entities = BatchEntities(torch.cat([*ends, seeds]), encoder.entities)
        batch = entities.triples(*ends, triples[:, 1], replaces_head)
        relations = normalize(encoder.relations, dim=1)
        loss = translation_loss(entities.vectors, relations, batch, params.margin)
        interactions = encoder.interactions
        single, present = encoder.single(seeds, entities.of(seeds))
        encoded = interactions.encode(single, present, self._noise)
        parts = {name: encoded.single[name] for name in interactions.output}
        loss = loss + modal_contrastive_loss(encoded.joint, parts, present, self._form, n_with)
        if params.beta:
            rows = self._drawn(len(seeds), params.entity_batch)
            loss = loss + params.beta * interactions.orthogonality(encoded, rows)
        if interactions.generation is None:
            return loss
        vae, matching = interactions.generation.losses(*self._sample(single, present), self._noise)
        return loss + vae + params.alpha * matching

    def _sample(
        self, single: dict[str, Tensor], present: dict[str, Tensor]
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """What trains the VAEs: drawn from the seeds' rows and further entities together."""
        n_rows = len(single[BASE])
        n_others = min(self._params.vae_sample, len(self._encoder.entities))
        kept = self._drawn(n_rows + n_others, self._params.entity_batch)
        if kept is not None:
            n_others, kept = int((kept >= n_rows).sum()), kept[kept < n_rows]
            single = {name: rows.index_select(0, kept) for name, rows in single.items()}
            present = {name: has[kept] for name, has in present.items()}
        return self._encoder.with_others(single, present, n_others, self._others)

    def _drawn(self, n: int, wanted: int) -> Tensor | None:
        """That many of n rows at random, [wanted]; None is all."""
        if not 0 < wanted < n:
            return None
        drawn = torch.randperm(n, generator=self._others)[:wanted]
        return drawn.to(self._encoder.entities.device)

    def of_pseudo_pairs(self, rows: Tensor) -> Tensor:
        """L_mcl of a batch of pseudo-pairs, at its weight; rows as for seeds."""
        base = unit_rows(embedding(rows, self._encoder.entities))
        single, present = self._encoder.single(rows, base)
        interactions = self._encoder.interactions
        encoded = interactions.encode(single, present, self._noise)
        parts = {name: encoded.single[name] for name in interactions.output}
        return self._params.pseudo_weight * modal_contrastive_loss(
            encoded.joint, parts, present, self._form
        )
