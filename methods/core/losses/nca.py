"""EVA's losses on seed pairs: one NCA per modality and one on the joint vectors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from mmea_bench.methods.core.layers.fusion import WeightedConcatenation
from mmea_bench.methods.core.losses.batch import nca_loss, nca_loss_in_rows

WHOLE_PAIRS = 5000
"""Pairs of a chunk up to which all their cosines are held at once: a dozen matrices of 100 MB."""


@dataclass(frozen=True)
class ModalityNCA:
    """Losses of one epoch: all pairs, in shuffled chunks only where they are more than a batch.

    The joint loss sees detached vectors and so trains the weights of the fusion alone.

    Attributes:
        fusion: Fusion of the modality vectors.
        scales: Modality to its NCA scale; ``joint_scale`` for those not named.
        joint_scale: NCA scale of the joint vectors.
        batch_size: Pairs per chunk.
        attraction: Beta.
        margin: Epsilon.
        beta: Where beta stands, see ``nca_loss``.
        shuffles: CPU generator of the chunks, which differ in every epoch; None keeps the order of
            the pairs.

    Reference: EVA, AAAI 2021, as its released code computes it.
    """

    fusion: WeightedConcatenation
    scales: Mapping[str, float]
    joint_scale: float
    batch_size: int
    attraction: float = 10.0
    margin: float = 0.0
    beta: Literal["outside", "inside"] = "outside"
    shuffles: torch.Generator | None = None

    def __call__(self, encoded: Mapping[str, Tensor], positions: Tensor) -> Iterator[Tensor]:
        """Losses of each chunk, one per modality and then that of the joint vectors.

        One after the other: the matrices of a backward pass, [b, b] and several, are gone before
        those of the next modality are made.

        Args:
            encoded: Modality to L2-normalised rows, [n_rows, dim].
            positions: Rows of each pair's source and target, [n_pairs, 2].
        """
        if self.shuffles is not None and len(positions) > self.batch_size:
            order = torch.randperm(len(positions), generator=self.shuffles)
            positions = positions[order.to(positions.device)]
        for chunk in torch.split(positions, self.batch_size):
            source, target = (
                {name: vectors[chunk[:, side]] for name, vectors in encoded.items()}
                for side in (0, 1)
            )
            if len(chunk) > WHOLE_PAIRS:
                yield from self._in_rows(source, target)
                continue
            cosines: dict[str, Tensor] = {}
            for name in encoded:
                own = source[name] @ target[name].T
                cosines[name] = own.detach()
                yield self._nca(own, self.scales.get(name, self.joint_scale))
                del own
            joint = self.fusion.joint_cosines(_detached(source), _detached(target), cosines)
            yield self._nca(joint, self.joint_scale)

    def _in_rows(
        self, source: Mapping[str, Tensor], target: Mapping[str, Tensor]
    ) -> Iterator[Tensor]:
        """The same losses without a matrix of all pairs by all pairs."""
        n_pairs = len(next(iter(source.values())))
        settings = self.attraction, self.margin, self.beta
        for name in source:

            def cosines_of(rows: slice, name: str = name) -> Tensor:
                return source[name][rows] @ target[name].T

            scale = self.scales.get(name, self.joint_scale)
            yield nca_loss_in_rows(cosines_of, n_pairs, scale, *settings)
        fixed_source, fixed_target = _detached(source), _detached(target)

        def joint_of(rows: slice) -> Tensor:
            some = {name: vectors[rows] for name, vectors in fixed_source.items()}
            cosines = {name: some[name] @ fixed_target[name].T for name in some}
            return self.fusion.joint_cosines(some, fixed_target, cosines)

        yield nca_loss_in_rows(joint_of, n_pairs, self.joint_scale, *settings)

    def _nca(self, cosines: Tensor, scale: float) -> Tensor:
        return nca_loss(cosines, scale, self.attraction, self.margin, self.beta)


def _detached(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach() for name, tensor in tensors.items()}
