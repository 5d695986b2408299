"""MMEA: relations, images and numbers as three vectors of an entity, and a common one near all.

An interpretation: the released file lacks its configuration, its loading of images and numbers and
a part that it calls, so that its sizes, weights and schedule are not known to us. What is here: the
file's formulas with the values of MultiKE, its nearest relative. Relations are translations, an
image asks for a dense layer of itself, a number for a CNN of its attribute and of radial basis
functions of its value; seed partners have near common vectors. Nothing but the translations has
negatives. An entity that lacks a modality stays out of the losses of that view.

Not to be confused with other methods of the same name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch.nn.functional import normalize

from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.datasets.core.paper import Paper
from mmea_bench.methods.core.base import Embeddings, Method, RunContext, Scoring
from mmea_bench.methods.core.layers.value_encoder import Unit
from mmea_bench.methods.core.settings import taken_from
from mmea_bench.methods.core.training.loop import Schedule, train
from mmea_bench.methods.parts.mmea.views import MMEAViews, ViewSettings


@dataclass(frozen=True)
class MMEAParams:
    """Hyper-parameters of MMEA; the release states none, "ours" marks what MultiKE does not."""

    modalities: tuple[str, ...] = ("structure", "attribute", "image")
    dim: int = 100  # MultiKE
    n_bases: int = 100  # radial basis functions of an attribute, ours
    basis_width: float = 0.3  # where their widths start, ours: they must overlap the data
    fewest_numbers: int = 10  # that an attribute must have, code
    unit: Unit = "rows"  # code: the batch as a whole, which makes the targets tiny
    swapping: bool = True  # ours: triples and numbers are copied with seed partners
    margin: float = 1.5  # MultiKE
    n_negatives: int = 10  # of a relation triple, MultiKE
    image_weight: float = 1.0  # of the visual loss, ours
    structure_share: float = 1.0  # weight of the relational view in the common space, ours
    image_share: float = 1.0  # ours
    attribute_share: float = 1.0  # ours
    shared_weight: float = 1.0  # of the common space, MultiKE
    batch_size: int = 5000  # MultiKE
    learning_rate: float = 1e-3  # Adam on the views; MultiKE's rate, its SGD hardly moves
    shared_learning_rate: float = 4e-3  # Adam on the common space, MultiKE's rate
    epochs: int = 500  # ours
    eval_every: int = 10  # MultiKE


class MMEA(Method):
    """MMEA (interpretation): all views that the dataset allows.

    ``whole batch`` divides what images and numbers ask for by the length of the whole batch, as the
    released file does. ``w/o structure`` goes without the relational view; it still counts the
    triples, since the alignment makes as many steps as that view would.
    """

    paper = Paper(
        authors="Chen, Li, Wang, Xu, Wang, Chen",
        title="MMEA: Entity Alignment for Multi-Modal Knowledge Graph",
        venue="KSEM",
        year=2020,
        url="https://doi.org/10.1007/978-3-030-55130-8_12",
        code_url="https://github.com/liyichen-cly/MMEA",
        code_commit="2ee5b97",
        interpretation="The released file is incomplete.",
    )
    modalities: ClassVar[tuple[str, ...]] = MMEAParams.modalities
    Params = MMEAParams
    # The release prints numbers without and with CSLS; the interpretation takes those without.
    published_scoring = Scoring("cosine", csls=0)
    variants: ClassVar = {
        "w/o structure": {"modalities": ("attribute", "image")},
        "w/o attribute": {"modalities": ("structure", "image")},
        "w/o image": {"modalities": ("structure", "attribute")},
        "w/o swapping": {"swapping": False},
        "whole batch": {"unit": "batch"},
    }
    test_params: ClassVar = {
        "dim": 32,
        "n_bases": 16,
        "fewest_numbers": 2,
        "epochs": 36,
        "batch_size": 500,
        "learning_rate": 0.01,
        "shared_learning_rate": 0.02,
        "eval_every": 12,
    }

    def skip_reason(self, modalities: tuple[str, ...]) -> str | None:
        """Why MMEA cannot run: the dataset has nothing for any of its views."""
        if self.chosen_modalities(modalities):
            return None
        return "the dataset has nothing for any of the views"

    @property
    def further_modalities(self) -> tuple[str, ...]:
        """Structure: the number of triples sets that of the alignment's steps, in any variant."""
        return ("structure",)

    def fit(self, view: TrainView, ctx: RunContext) -> Embeddings:
        """Trains all views in the order of the released code; returns the common vectors."""
        params: MMEAParams = self.params
        chosen = self.chosen_modalities(view.modalities)
        settings = taken_from(params, ViewSettings)
        views = MMEAViews(view, chosen, params.fewest_numbers, settings, ctx)

        @torch.no_grad()
        def embed() -> Embeddings:
            joint, n_source = views.common.vectors(), views.n_source
            tables = {name: normalize(each.table, dim=1) for name, each in views.views.items()}
            parts = {name: (rows[:n_source], rows[n_source:]) for name, rows in tables.items()}
            return Embeddings(joint[:n_source], joint[n_source:], by_modality=parts)

        schedule = Schedule(params.epochs, None, eval_every=params.eval_every)
        return train(views.parameters(), views.epoch, embed, schedule, ctx)
