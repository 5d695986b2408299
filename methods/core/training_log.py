"""What a training reports about itself."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class TrainingLog:
    """What a training reports about itself; ``bench`` copies it into the cell's row.

    Attributes:
        epochs: Epochs trained.
        best_epoch: Epoch of the returned embeddings.
        n_parameters: Trainable numbers; 0 for methods without training.
        simulated: Inputs that were stood in for (such as word vectors), with the reason.
        first_pseudo_epoch: First epoch that trained on pseudo-labels; 0 if none did.
    """

    epochs: int = 0
    best_epoch: int = 0
    n_parameters: int = 0
    simulated: dict[str, str] = field(default_factory=dict)
    first_pseudo_epoch: int = 0

    def pseudo_labels_from(self, epoch: int) -> None:
        """Notes that epochs from this one on train on pseudo-labels; the first note counts.

        ``PseudoSeeds`` does it by itself; a training that bootstraps in another way calls this.
        """
        self.first_pseudo_epoch = self.first_pseudo_epoch or epoch

    @property
    def is_iterative(self) -> bool:
        """Whether the training learned from pseudo-labels, whichever epoch was kept of it.

        The kept epoch decides nothing: it would put repeats of one method into different rows.
        """
        # A training that keeps no account of its epochs got as far as it says.
        trained = self.epochs or self.first_pseudo_epoch
        return 0 < self.first_pseudo_epoch <= trained

    @property
    def pseudo_label_note(self) -> str:
        """A sentence where pseudo-labels were learned, but after the kept checkpoint; else ""."""
        if not self.is_iterative or not 0 < self.best_epoch < self.first_pseudo_epoch:
            return ""
        return (
            f"the kept checkpoint (epoch {self.best_epoch}) precedes pseudo-label learning "
            f"(from epoch {self.first_pseudo_epoch})"
        )
