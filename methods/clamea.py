"""CLAMEA: latent modal associations for multi-modal entity alignment.

Structure (TransE), image and attribute vectors are each sharpened by self-attention (MFE); an
attention flow fuses image and attributes with structure (DMAFF), VAEs generate what an entity
lacks (DMMG), and what modalities share is extracted (CMAE) before they are concatenated.

Sources: "paper" is EMNLP Findings 2025; "lineage" is the released code of TMEA, from which CLAMEA
is derived and whose sizes it shares; "ours" fills what neither states.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding, normalize

from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.datasets.core.paper import Paper
from mmea_bench.methods.core.base import Embeddings, Method, RunContext, Scoring, StopRule
from mmea_bench.methods.core.inputs.joint_graph import JointGraph
from mmea_bench.methods.core.inputs.pair_rows import PairRows
from mmea_bench.methods.core.inputs.text_encoders import encoder_available
from mmea_bench.methods.core.layers.encoders import Linear, xavier_normal
from mmea_bench.methods.core.training.loop import Schedule, train
from mmea_bench.methods.core.training.pseudo_seeds import IterativeSchedule, PseudoSeeds
from mmea_bench.methods.parts.clamea.attribute_texts import attribute_vectors
from mmea_bench.methods.parts.clamea.modal_generation import BASE
from mmea_bench.methods.parts.clamea.modal_interactions import (
    ORDER,
    Encoded,
    InteractionParams,
    ModalInteractions,
)
from mmea_bench.methods.parts.clamea.pair_losses import squared_contrastive_loss
from mmea_bench.methods.parts.clamea.translation import BatchEntities, translation_loss, unit_rows
from mmea_bench.methods.parts.clamea.triple_sets import StandIns, TripleSet

_ROWS_AT_ONCE = 8192


@dataclass(frozen=True)
class CLAMEAParams(InteractionParams):
    """Hyper-parameters of CLAMEA; those of the network stand in ``InteractionParams``."""

    vae_sample: int = 5000  # entities drawn per step besides the seeds; ours, lineage 0
    alpha: float = 0.01  # weight of L_m; paper, sweep of five values
    beta: float = 0.01  # weight of L_s; paper, sweep of five values
    margin: float = 1.0  # of TransE; paper
    contrastive_margin: float = 2.0  # paper
    text_encoder: str = "bert"  # paper
    max_tokens: int = 512  # BERT's limit; ours
    batch_size: int = 5000  # triples of both graphs per step; paper, meaning from the lineage
    sampled_pairs: int = 0  # seeds per step: 0 is all, lineage; else drawn, an unbiased estimate
    negatives: int = 0  # per partner, by weight, in L_cl; 0: all seeds, lineage; paper silent
    joint_product: bool = False  # joint vectors in L_cl by inner product, lineage; paper: cosine
    learning_rate: float = 0.001  # Adam; paper
    epochs: int = 300  # lineage
    iterative: bool = True  # paper
    iterative_every: int = 70  # after epochs 70, 140, 210, 280; lineage
    pseudo_weight: float = 0.1  # of the pseudo-pairs' losses; lineage
    pseudo_batch: int = 5000  # pseudo-pairs per step, once per epoch; lineage
    pseudo_as_seeds: bool = False  # pseudo-pairs in every step, as in MRAEA; else as the two above
    eval_every: int = 10  # lineage: 1 from epoch 70 on


class CLAMEA(Method):
    """CLAMEA by the text of its paper and, where that is silent, its lineage.

    Each entity has one vector per modality, so attention has a single key unless the vector is cut:
    ``attn_tokens`` = 1 is the lineage's form, in which gates and queries are of no influence.
    Variants that concern these therefore have ten tokens: compare ``w/o G`` and
    ``cmae fused dmaff`` with ``T=10``. Mutual nearest neighbours are looked for among all entities
    outside the seeds, since a training here knows no test entities; the lineage looks among the
    partners of validation and test links only.
    """

    paper = Paper(
        authors="Ji, Cheng, Zhang, Lu",
        title="Capturing Latent Modal Association For Multimodal Entity Alignment",
        venue="EMNLP Findings",
        year=2025,
        url="https://aclanthology.org/2025.findings-emnlp/",
    )
    modalities: ClassVar[tuple[str, ...]] = ORDER
    requires: ClassVar[tuple[str, ...]] = (BASE,)
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
        "w/o G": {"gate": False, "attn_tokens": 10},
        # Figures 4, 6 and 8
        "L_sf": {"fused_orthogonality": True},
        "CM of TMEA": {"cmae_with_fused": False},
        **{f"AFF {rule}": {"aff_fusion": rule} for rule in ("Cat", "Wcat", "Dcat", "Wsum")},
        **{f"MGF {rule}": {"mgf_fusion": rule} for rule in ("Cat", "Wcat", "Dcat", "Wsum")},
        **{f"FMF {rule}": {"fmf_fusion": rule} for rule in ("Wcat", "Dcat", "Wsum", "Dsum")},
        # Readings of what the paper leaves open
        "T=10": {"attn_tokens": 10},
        "cmae fused dmaff": {"cmae_fused": "dmaff", "attn_tokens": 10},
        "values from the other modality": {"cmae_values": "other"},
        "equal parts": {"equal_parts": True},
        "pseudo-pairs as seeds": {"pseudo_as_seeds": True},
        "lineage joint product": {"joint_product": True},
        "lineage VAE": {"vae_loss": "lineage", "vae_sample": 0},
        "offline encoder": {"text_encoder": "minilm"},
        "50 negatives": {"negatives": 50},  # of thousands; ours
        # Ours: a step costs about a fifth on a CPU; --set sampled_pairs works with every variant
        "sampled seeds": {"sampled_pairs": 512, "vae_sample": 512},
    }
    test_params: ClassVar = {
        "epochs": 16,
        "dim": 20,
        "latent": 8,
        "batch_size": 10_000,
        "vae_sample": 50,
        "learning_rate": 0.02,
        "iterative_every": 8,
        "eval_every": 10,
        "text_encoder": "hashed",
    }
    paper_stop: ClassVar[StopRule] = "valid"

    @property
    def is_iterative(self) -> bool:
        """Whether pseudo-pairs are found before the last epoch."""
        params: CLAMEAParams = self.params
        return params.iterative and params.iterative_every < params.epochs

    def skip_reason(self, modalities: tuple[str, ...]) -> str | None:
        """Why CLAMEA cannot run: no triples, nothing left for the joint vector, no encoder."""
        params: CLAMEAParams = self.params
        lacking = super().skip_reason(modalities)
        if lacking is not None:
            return lacking
        used = self.used_modalities(modalities)
        if not set(used) & set(params.output):
            return f"the dataset has none of: {', '.join(params.output)}"
        return encoder_available(params.text_encoder) if "attribute" in used else None

    def fit(self, view: TrainView, ctx: RunContext) -> Embeddings:
        """Trains on seed links and triples and returns all entities' joint vectors."""
        params: CLAMEAParams = self.params
        graph = JointGraph.of(view)
        inputs = _inputs(view, self.used_modalities(view.modalities), params, ctx)
        model = _Model(graph, inputs, params, ctx).to(ctx.device)
        training = _Training(model, graph.seed_pairs(view), params, ctx)
        schedule = Schedule(
            params.epochs,
            None,
            eval_every=params.eval_every,
            earliest_stop=params.iterative_every if params.iterative else 0,
        )
        grow = training.grow if params.iterative else None
        return train(model.parameters(), training.step, training.embed, schedule, ctx, grow)


def _inputs(
    view: TrainView, modalities: Iterable[str], params: CLAMEAParams, ctx: RunContext
) -> dict[str, tuple[Tensor, Tensor]]:
    """Feature rows (zero where lacking, [n_entities, dim]) and who has them, by modality."""
    inputs = {}
    if "attribute" in modalities:
        inputs["attribute"] = attribute_vectors(view, params.text_encoder, params.max_tokens, ctx)
    if "image" in modalities:
        images = view.joint_features("image")
        inputs["image"] = (torch.tensor(images.values), torch.tensor(images.present))
    return inputs


class _Model(nn.Module):
    """Tables, input layers and interactions: entities to joint vectors."""

    def __init__(
        self,
        graph: JointGraph,
        inputs: Mapping[str, tuple[Tensor, Tensor]],
        params: CLAMEAParams,
        ctx: RunContext,
    ) -> None:
        super().__init__()
        generator = ctx.generator("initial values")
        self.graph = graph
        self.entities, self.relations = (
            nn.Parameter(xavier_normal((size, params.dim), generator))
            for size in (graph.n_entities, graph.n_relations)
        )
        self._features = {name: rows.to(ctx.device) for name, (rows, _) in inputs.items()}
        self._present = {name: has.to(ctx.device) for name, (_, has) in inputs.items()}
        self._present[BASE] = torch.ones(graph.n_entities, dtype=torch.bool, device=ctx.device)
        self.linear = nn.ModuleDict(
            {
                name: Linear(rows.shape[1], params.dim, generator)
                for name, rows in self._features.items()
            }
        )
        names = tuple(name for name in ORDER if name in self._present)
        self.interactions = ModalInteractions(names, params, generator)

    def single(self, rows: Tensor, base: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Vectors by modality before generation, [n_rows, dim] each, and who has the modality.

        Args:
            rows: Joint ids, [n_rows].
            base: Their L2-normalised rows of the entity table, [n_rows, dim].
        """
        inputs = {BASE: base}
        for name, layer in self.linear.items():
            inputs[name] = normalize(layer(self._features[name][rows]), dim=1)
        inputs = {name: inputs[name] for name in self.interactions.names}
        present = {name: has[rows] for name, has in self._present.items()}
        return self.interactions.sharpen(inputs, present), present

    def pairs_with(self, pairs: Tensor) -> dict[str, int]:
        """Number of pairs, [n_pairs, 2] joint ids, that have a modality on both sides."""
        return {name: int(has[pairs].all(dim=1).sum()) for name, has in self._present.items()}

    @torch.no_grad()
    def all_entities(self) -> tuple[Tensor, dict[str, Tensor]]:
        """Joint vectors, [n_entities, joint dim], and enriched ones by modality."""
        table = normalize(self.entities, dim=1)
        everyone = torch.arange(len(table), device=table.device)
        parts = [
            self.interactions.encode(*self.single(rows, table[rows]), None)
            for rows in torch.split(everyone, _ROWS_AT_ONCE)
        ]
        by_modality = {
            name: torch.cat([part.enriched[name] for part in parts])
            for name in self.interactions.output
        }
        return torch.cat([part.joint for part in parts]), by_modality


class _Training:
    """Epochs over the triples of both KGs; every step sees all seeds."""

    def __init__(self, model: _Model, seeds: Tensor, params: CLAMEAParams, ctx: RunContext) -> None:
        self._model, self._params, self._ctx = model, params, ctx
        graph = model.graph
        self._optimiser = torch.optim.Adam(model.parameters(), lr=params.learning_rate, fused=True)
        self._batches, self._negatives = ctx.generator("batches"), ctx.generator("negatives")
        self._noise, self._others = ctx.generator("latents"), ctx.generator("further entities")
        self._own_triples = TripleSet.of(graph)
        every = params.iterative_every
        growth = IterativeSchedule(0, every, every)
        self._pairs = PseudoSeeds(seeds, graph.n_source, graph.n_entities, growth, ctx.log)
        self._set_seeds(seeds)
        self._take_up(seeds)

    def _set_seeds(self, seeds: Tensor) -> None:
        """Pairs of every step's losses, [n, 2]."""
        self._seeds, self._all_seeds = seeds, PairRows.of(seeds, self._ctx.device)
        self._n_with = self._model.pairs_with(seeds.to(self._ctx.device))

    def _take_up(self, pairs: Tensor) -> None:
        """Triples follow the pairs: those of both KGs and their swapped copies."""
        known = self._own_triples.with_swaps(pairs.numpy())
        self._triples = torch.from_numpy(known.triples)
        self._stand_ins = StandIns(known, self._model.graph)

    def embed(self) -> Embeddings:
        """Current vectors of all entities."""
        joint, by_modality = self._model.all_entities()
        cut = self._model.graph.n_source
        parts = {name: (rows[:cut], rows[cut:]) for name, rows in by_modality.items()}
        return Embeddings(joint[:cut], joint[cut:], by_modality=parts)

    def grow(self, epoch: int) -> None:
        """Adds mutual nearest neighbours to the pseudo-pairs, where the schedule says so."""
        if self._pairs.after_epoch(epoch, lambda: self._model.all_entities()[0]):
            self._take_up(self._pairs.pairs)
            if self._params.pseudo_as_seeds:
                self._set_seeds(self._pairs.pairs)

    def step(self, _epoch: int) -> float:
        """One epoch of optimiser steps; mean loss per step."""
        stand_ins, replaces_head = self._stand_ins.draw(self._negatives)
        order = torch.randperm(len(self._triples), generator=self._batches)
        losses = []
        for rows in torch.split(order, self._params.batch_size):
            self._ctx.check_deadline()
            batch = (self._triples[rows], stand_ins[rows], replaces_head[rows])
            losses.append(self._update(self._loss(*(part.to(self._ctx.device) for part in batch))))
        pseudo_pairs = self._pairs.pairs[len(self._seeds) :]
        if len(pseudo_pairs):
            shuffled = pseudo_pairs[torch.randperm(len(pseudo_pairs), generator=self._batches)]
            for chunk in torch.split(shuffled, self._params.pseudo_batch):
                self._update(self._pseudo_loss(PairRows.of(chunk, self._ctx.device)))
        return sum(losses) / len(losses)

    def _update(self, loss: Tensor) -> float:
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimiser.step()
        return float(loss.detach())

    def _loss(self, triples: Tensor, stand_ins: Tensor, replaces_head: Tensor) -> Tensor:
        """L_all of one batch of triples, [b, 3], and all seeds."""
        params, model = self._params, self._model
        seeds = self._seeds_of_step()
        ends = (triples[:, 0], triples[:, 2], stand_ins)
        entities = BatchEntities(torch.cat([*ends, seeds.rows]), model.entities)
        batch = entities.triples(*ends, triples[:, 1], replaces_head)
        relations = normalize(model.relations, dim=1)
        loss = translation_loss(entities.vectors, relations, batch, params.margin)
        single, present = model.single(seeds.rows, entities.of(seeds.rows))
        encoded = model.interactions.encode(single, present, self._noise)
        loss = loss + self._contrastive(encoded, present, seeds.positions, self._n_with)
        if params.beta:
            loss = loss + params.beta * model.interactions.orthogonality(encoded)
        if model.interactions.generation is None:
            return loss
        vae, matching = model.interactions.generation.losses(
            *self._with_others(single, present), self._noise
        )
        return loss + vae + params.alpha * matching

    def _seeds_of_step(self) -> PairRows:
        wanted = self._params.sampled_pairs
        if not 0 < wanted < len(self._seeds):
            return self._all_seeds
        drawn = torch.randperm(len(self._seeds), generator=self._batches)[:wanted]
        return PairRows.of(self._seeds[drawn], self._ctx.device)

    def _with_others(
        self, single: Mapping[str, Tensor], present: Mapping[str, Tensor]
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The seeds' vectors, detached, with those of further entities below."""
        vectors = {name: rows.detach() for name, rows in single.items()}
        table = self._model.entities.detach()
        n_others = min(self._params.vae_sample, len(table))
        if not n_others:
            return vectors, dict(present)
        drawn = torch.randperm(len(table), generator=self._others)[:n_others].to(table.device)
        with torch.no_grad():
            others, have = self._model.single(drawn, unit_rows(table[drawn]))
        return (
            {name: torch.cat([rows, others[name]]) for name, rows in vectors.items()},
            {name: torch.cat([has, have[name]]) for name, has in present.items()},
        )

    def _pseudo_loss(self, pairs: PairRows) -> Tensor:
        base = unit_rows(embedding(pairs.rows, self._model.entities))
        single, present = self._model.single(pairs.rows, base)
        encoded = self._model.interactions.encode(single, present, self._noise)
        return self._params.pseudo_weight * self._contrastive(encoded, present, pairs.positions)

    def _contrastive(
        self,
        encoded: Encoded,
        present: Mapping[str, Tensor],
        positions: Tensor,
        n_with: Mapping[str, int] | None = None,
    ) -> Tensor:
        """L_mcl: the joint vectors and, of pairs that have it on both sides, each modality.

        Args:
            encoded: Vectors of some entities.
            present: Modality to which of them have it.
            positions: Positions of the pairs among them, [n_pairs, 2].
            n_with: Pairs that these were drawn from, by modality; None if these are all.
        """
        totals, params = n_with or {}, self._params

        def loss_of(first: Tensor, second: Tensor, name: str, *, cosine: bool = True) -> Tensor:
            weights = (params.contrastive_margin, totals.get(name), params.negatives or None)
            return squared_contrastive_loss(first, second, *weights, cosine=cosine)

        source, target = positions.unbind(1)
        first, second = (embedding(side, encoded.joint) for side in (source, target))
        loss = loss_of(first, second, BASE, cosine=not params.joint_product)
        for name in self._model.interactions.output:
            both = present[name][source] & present[name][target]
            first, second = (
                embedding(side[both], encoded.single[name]) for side in (source, target)
            )
            loss = loss + loss_of(first, second, name)
        return loss
