"""TMEA (interpretation): completed and associated modalities on TransE and contrastive pairs.

Structure (TransE), image and attribute text give one vector each; VAEs generate the image or the
attributes that an entity lacks from its two other modalities; attention between the modalities,
with an orthogonality penalty on what it leaves over, extracts what they share. CLAMEA descends from
it and shares its parts.

An interpretation: the released code has no attribute texts, and what it runs is no cross-attention,
since a softmax over a single token lets nothing pass between modalities. Here each modality asks
the two others; texts hold the attributes of an entity, the most common first; latents are means at
test; seeds, swapped triples and the number of steps are kept after pseudo-pairs have come. A step
draws 512 of the seeds, which estimates the losses on all of them without bias. ``as released``
takes the released forms back, slips included. The paper's text was not available.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor
from torch.nn.functional import pad

from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.datasets.core.paper import Paper
from mmea_bench.methods.core.base import Embeddings, RunContext, Scoring, StopRule, StopScore
from mmea_bench.methods.core.inputs.attribute_texts import attribute_vectors, common_first_texts
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.inputs.text_method import TextMethod
from mmea_bench.methods.core.settings import taken_from
from mmea_bench.methods.core.siamese.training import PairRoundParams, SiameseSettings, train_siamese
from mmea_bench.methods.core.siamese.training_sets import SetForm, TrainingSets
from mmea_bench.methods.parts.tmea.encoder import ORDER, EncoderParams, TokenEncoder
from mmea_bench.methods.parts.tmea.losses import Losses, LossParams

_IMAGE_COLUMNS = 768
"""Columns of an image's vector in the released code."""


@dataclass(frozen=True)
class TMEAParams(PairRoundParams):
    """Hyper-parameters of TMEA; "code" is the released one, "ours" the reading chosen here."""

    modalities: tuple[str, ...] = ORDER  # encoded
    dim: int = 100  # code
    latent: int = 64  # code
    n_heads: int = 2  # code
    completion: bool = True
    # Keys and values: the others (ours), the modality itself (code), or no attention.
    association: Literal["others", "itself", "none"] = "others"
    sample_at_test: bool = False  # noise in generated vectors at test; ours, code: True
    orthogonality: float = 0.01  # code
    matching: float = 0.01  # weight of the distance between latents; code
    margin: float = 1.0  # of TransE; code
    contrastive_margin: float = 2.0  # code
    text_encoder: str = "bert"  # 768 columns as in the code
    max_tokens: int = 256  # ours
    batch_size: int = 5000  # triples of both KGs per step; code
    sampled_pairs: int = 512  # seeds per step, drawn, unbiased, as in CLAMEA; ours, 0: all, code
    learning_rate: float = 0.001  # Adam; code
    epochs: int = 300  # code
    iterative: bool = True  # code
    iterative_every: int = 70  # after epochs 70, 140, 210, 280; code
    pseudo_weight: float = 0.1  # of the pseudo-pairs' losses; code
    pseudo_batch: int = 5000  # pseudo-pairs at once; all make one step per epoch, code
    target_twice: bool = False  # slips of the code, see SetForm
    forgets_swaps: bool = False
    forgets_seeds: bool = False
    fixed_steps: bool = False
    eval_every: int = 10  # code: 1 from epoch 70 on

    def __post_init__(self) -> None:
        if self.dim % self.n_heads:
            raise ValueError(f"dim must be a multiple of n_heads, {self.n_heads}, not {self.dim}")


_SLIPS = dict.fromkeys(("target_twice", "forgets_swaps", "forgets_seeds", "fixed_steps"), True)


class TMEA(TextMethod):
    """TMEA (interpretation); ``as released`` is what the released code computes.

    Mutual nearest neighbours are looked for among all entities outside the seeds, since a training
    here knows no test entities; the released code looks among the partners of validation and test
    links only. A dataset without images or without attributes has nothing to generate from.
    """

    paper = Paper(
        authors="Chen, Sun, Zhang, Ye, Wu, Xiong",
        title="Tackling Uncertain Correspondences for Multi-Modal Entity Alignment",
        venue="NeurIPS",
        year=2024,
        url="https://proceedings.neurips.cc/paper_files/paper/2024",
        code_url="https://github.com/liyichen-cly/TMEA",
        code_commit="c2e421f",
        interpretation="Parts of the released code are absent or broken.",
    )
    modalities: ClassVar[tuple[str, ...]] = ORDER
    requires: ClassVar[tuple[str, ...]] = ("structure",)
    texts_of: ClassVar[tuple[str, ...]] = ("attribute",)
    Params = TMEAParams
    published_scoring = Scoring("inner", csls=0)  # what the code returns, of vectors of length 1
    variants: ClassVar = {
        "as released": {
            "association": "itself",
            "sample_at_test": True,
            "sampled_pairs": 0,
            **_SLIPS,
        },
        # The paper's table of ablations was not available: one row for each part.
        "w/o image": {"modalities": ("structure", "attribute")},
        "w/o attribute": {"modalities": ("structure", "image")},
        "w/o completion": {"completion": False},
        "w/o attention": {"association": "none"},
        "w/o orthogonality": {"orthogonality": 0.0},
        "w/o latent matching": {"matching": 0.0},
        "w/o IT": {"iterative": False},
        # Single steps between both readings
        "attention to itself": {"association": "itself"},
        "slips": _SLIPS,
        "offline encoder": {"text_encoder": "minilm"},
        # All seeds in every step, at four times the cost
        "nothing sampled": {"sampled_pairs": 0},
    }
    waits_for_device = (
        "which entities a batch holds, and which triples still cost something, is found there"
    )
    test_params: ClassVar = {
        "epochs": 12,
        "dim": 20,
        "latent": 8,
        "batch_size": 2000,
        "sampled_pairs": 30,
        "learning_rate": 0.02,
        "iterative_every": 4,
        "eval_every": 4,
        "text_encoder": "hashed",
        "max_tokens": 24,
    }
    paper_stop: ClassVar[StopRule] = "valid"  # MRR on validation links
    paper_stop_score: ClassVar = StopScore("mrr", "src2tgt", csls=0)  # code, left to right alone

    def fit(self, view: TrainView, ctx: RunContext) -> Embeddings:
        """Trains on seed links and triples and returns all entities' joint vectors."""
        params: TMEAParams = self.params
        graph = JointGraph.of(view)
        inputs = modality_inputs(view, self.used_modalities(view.modalities), params, ctx)
        settings = taken_from(params, EncoderParams)
        encoder = TokenEncoder(graph, inputs, settings, ctx).to(ctx.device)
        form = SetForm(
            own_relations=True,
            target_twice=params.target_twice,
            forgets_swaps=params.forgets_swaps,
            forgets_seeds=params.forgets_seeds,
            fixed_steps=params.fixed_steps,
        )
        seeds = graph.seed_pairs(view)
        sets = TrainingSets(encoder, seeds, params.iterative_every, ctx, form)
        losses = Losses(encoder, taken_from(params, LossParams), ctx)

        def of_batch(triples: Tensor, stand_ins: Tensor, at_head: Tensor) -> Tensor:
            """All losses of triples and of the seeds."""
            return losses.of_step(
                triples, stand_ins, at_head, *sets.drawn_seeds(params.sampled_pairs)
            )

        shared = taken_from(params, SiameseSettings)
        of_pairs = losses.of_pseudo_pairs
        return train_siamese(
            encoder, sets, of_batch, shared, ctx, of_pseudo_pairs=of_pairs, rounds_waited=2
        )


def modality_inputs(
    view: TrainView, used: tuple[str, ...], params: TMEAParams, ctx: RunContext
) -> dict[str, tuple[Tensor, Tensor]]:
    """Feature rows (zero where lacking, [n_entities, dim]) and who has them, by modality."""
    inputs = {}
    if "image" in used:
        images = view.joint_features("image")
        # Narrower vectors than the code's get columns of zeros: the layer starts as wide as there.
        lacking = max(0, _IMAGE_COLUMNS - images.values.shape[1])
        rows = pad(torch.tensor(images.values), (0, lacking))
        inputs["image"] = (rows, torch.tensor(images.present))
    if "attribute" in used:
        inputs["attribute"] = attribute_vectors(
            view, params.text_encoder, params.max_tokens, ctx, common_first_texts
        )
    return inputs
