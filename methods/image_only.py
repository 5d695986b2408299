"""Images alone: the cosine of the given image vectors, without training or seed links."""

from __future__ import annotations

from typing import ClassVar

from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.methods.core.base import Embeddings, Method, RunContext
from mmea_bench.methods.core.inputs.features import modality_features


class ImageOnly(Method):
    """Raw image vectors; entities without an image get zeros, which tie with everything."""

    modalities: ClassVar[tuple[str, ...]] = ("image",)
    requires: ClassVar[tuple[str, ...]] = ("image",)

    @property
    def needs_seeds(self) -> bool:
        """No seed link is read."""
        return False

    def fit(self, view: TrainView, ctx: RunContext) -> Embeddings:
        """L2-normalised image vectors, [n_entities, dim] on each side."""
        vectors = modality_features(view, "image", ctx, fill="zeros").to(ctx.device)
        n_source = view.source.n_entities
        return Embeddings(vectors[:n_source], vectors[n_source:])
