"""What methods have in common that read texts through an encoder of their parameters."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from mmea_bench.methods.core.base import Method
from mmea_bench.methods.core.inputs.text_encoders import encoder_available, encoder_files


class TextMethod(Method):
    """A method whose parameter ``text_encoder`` names what turns texts into vectors.

    A dataset is skipped where the encoder is missing, and its files are part of a cell's key.
    """

    texts_of: ClassVar[tuple[str, ...]] = ("name",)
    """Modalities that are read as texts; without any of them no encoder is needed."""

    @property
    def text_encoder(self) -> str | None:
        """Encoder that this configuration reads texts with; None if with none."""
        encoder: str = self.params.text_encoder
        return encoder

    def skip_reason(self, modalities: tuple[str, ...]) -> str | None:
        """Why the method cannot run: no usable modality, or no text encoder."""
        lacking = super().skip_reason(modalities)
        reads_texts = not set(self.texts_of).isdisjoint(self.used_modalities(modalities))
        if lacking is None and reads_texts and self.text_encoder is not None:
            return encoder_available(self.text_encoder)
        return lacking

    def files_read(self) -> tuple[Path, ...]:
        """The encoder's, which a parameter names by a word, beside those named by a path."""
        of_encoder = () if self.text_encoder is None else encoder_files(self.text_encoder)
        return (*super().files_read(), *of_encoder)
