"""CLAMEA's network from one vector per modality to the joint vector."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from mmea_bench.methods.core.siamese.modal_attention import FUSED, ModalAssociation, TokenAttention
from mmea_bench.methods.core.siamese.modal_vae import LossForm
from mmea_bench.methods.core.siamese.pair_losses import orthogonality_loss
from mmea_bench.methods.core.siamese.unit_vectors import unit_rows
from mmea_bench.methods.parts.clamea.attention_flow import AttentionFlow, FusionRule, VectorFusion
from mmea_bench.methods.parts.clamea.modal_generation import BASE, ModalGeneration

ORDER = ("image", "structure", "attribute")
"""Order of the concatenation, equation 26."""


@dataclass(frozen=True)
class InteractionParams:
    """Sizes and parts of the network; "paper" is EMNLP Findings 2025, "lineage" TMEA's code."""

    modalities: tuple[str, ...] = ORDER  # encoded and interacting
    output: tuple[str, ...] = ORDER  # in the joint vector and with a contrastive loss of their own
    dim: int = 100  # paper
    latent: int = 64  # paper
    n_heads: int = 2  # MFE and CMAE; paper
    weight_heads: int = 5  # N_h of the dynamic weights; paper
    attn_tokens: int = 1  # lineage: one token per vector, which makes attention linear
    mfe: bool = True
    mfe_residual: bool = (
        True  # normalize(h + MH(h)); ours, paper: MH(h) alone, which loses accuracy
    )
    flow: bool = True  # inter- and intra-modal attention flow
    gate: bool = True  # of no influence with one token
    dmmg: bool = True
    cmae: bool = True
    aff_fusion: FusionRule = "Dsum"  # attention flow fusion; paper
    mgf_fusion: FusionRule = "Dsum"  # modality generation fusion; paper
    fmf_fusion: FusionRule = "Cat"  # final modal fusion; paper
    cmae_with_fused: bool = True  # False: commonality module of TMEA
    cmae_fused: Literal["concatenation", "dmaff"] = "concatenation"  # paper's text
    cmae_values: Literal["own", "other"] = "own"  # lineage
    equal_parts: bool = False  # parts of the joint vector have length 1; ours, paper: as they are
    fused_orthogonality: bool = False  # L_sf: L_s plus the pairs with a fused vector
    vae_loss: LossForm = "per entity"  # ours; the lineage's sums collapse to mean imputation

    def __post_init__(self) -> None:
        for name, parts in (
            ("n_heads x attn_tokens", self.n_heads * self.attn_tokens),
            ("weight_heads", self.weight_heads),
        ):
            if self.dim % parts:
                raise ValueError(f"dim must be a multiple of {name}, {parts}, not {self.dim}")


@dataclass(frozen=True, eq=False)
class Encoded:
    """Vectors of some entities by modality, [n, dim] each.

    Attributes:
        single: After self-attention, zero where an entity lacks the modality.
        whole: With generated vectors in the place of lacking ones.
        fused: Modality to the fused vector of the two others; empty where nothing reads it.
        enriched: After association extraction.
        joint: Joint vectors, [n, joint dim], not normalised.
    """

    single: Mapping[str, Tensor]
    whole: Mapping[str, Tensor]
    fused: Mapping[str, Tensor]
    enriched: Mapping[str, Tensor]
    joint: Tensor


class ModalInteractions(nn.Module):
    """MFE, DMAFF, DMMG, CMAE and the final fusion.

    Args:
        names: Modalities at hand, structure among them, in the order of the concatenation.
        params: Sizes and parts.
        generator: CPU generator of the initial values.

    Reference: CLAMEA, EMNLP Findings 2025, equations 1-26.
    """

    def __init__(
        self, names: tuple[str, ...], params: InteractionParams, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.names, self._params, self._generator = names, params, generator
        self.output = tuple(name for name in names if name in params.output)
        dim, tokens = params.dim, params.attn_tokens
        self.mfe = nn.ModuleDict(
            {
                name: TokenAttention(dim, params.n_heads, tokens, generator)
                for name in (names if params.mfe else ())
            }
        )
        sides = [name for name in names if name != BASE]
        self.flows = nn.ModuleDict({name: self._new_flow() for name in sides})
        self.generation = self._new_generation() if params.dmmg and sides else None
        self.cmae: ModalAssociation | None = None
        self.fusers = nn.ModuleDict()
        if params.cmae and sides:
            self.cmae = ModalAssociation(
                names,
                dim,
                params.n_heads,
                tokens,
                generator,
                with_fused=params.cmae_with_fused,
                values=params.cmae_values,
            )
            if (self.cmae.reads_fused or params.fused_orthogonality) and len(names) == 3:
                self.fusers.update({name: self._new_fuser(name) for name in names})
        self.final = self._new_fusion(params.fmf_fusion, len(self.output), keep_dim=False)

    def _new_fusion(self, rule: FusionRule, size: int, *, keep_dim: bool = True) -> VectorFusion:
        params = self._params
        return VectorFusion(
            rule, size, params.dim, params.weight_heads, self._generator, keep_dim=keep_dim
        )

    def _new_flow(self) -> AttentionFlow:
        params = self._params
        return AttentionFlow(
            params.dim,
            params.attn_tokens,
            self._new_fusion(params.aff_fusion, 2),
            self._generator,
            flows=params.flow,
            gated=params.gate,
        )

    def _new_generation(self) -> ModalGeneration:
        params = self._params
        return ModalGeneration(
            {name: cast(AttentionFlow, flow) for name, flow in self.flows.items()},
            params.dim,
            params.latent,
            params.weight_heads,
            params.mgf_fusion,
            params.vae_loss,
            self._generator,
        )

    def _new_fuser(self, name: str) -> nn.Module:
        """Fusion of the two modalities besides one, for CMAE."""
        if self._params.cmae_fused == "concatenation":
            plain = self._new_fusion("Cat", 2)
            return AttentionFlow(
                self._params.dim, 1, plain, self._generator, flows=False, gated=False
            )
        # Image with attributes has no flow yet; the two fusions with structure are those of DMMG.
        return self._new_flow() if name == BASE else self.flows[self._others(name)[0]]

    def _others(self, name: str) -> list[str]:
        """The other modalities, structure last: the order of the flows' arguments."""
        return sorted((other for other in self.names if other != name), key=lambda m: m == BASE)

    def sharpen(
        self, inputs: Mapping[str, Tensor], present: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """L2-normalised vectors after self-attention, zero where the modality is lacking.

        Args:
            inputs: Modality to L2-normalised vectors, [n, dim].
            present: Modality to whether an entity has it, [n] bool.
        """
        sharp = {}
        for name, vectors in inputs.items():
            if name in self.mfe:
                residual = self._params.mfe_residual
                vectors = unit_rows(self.mfe[name](vectors, vectors, residual=residual))
            # Structure is never lacking.
            sharp[name] = vectors if name == BASE else vectors * present[name].unsqueeze(1)
        return sharp

    def encode(
        self,
        single: Mapping[str, Tensor],
        present: Mapping[str, Tensor],
        noise: torch.Generator | None,
    ) -> Encoded:
        """All vectors of some entities.

        Args:
            single: What ``sharpen`` gave.
            present: Modality to whether an entity has it, [n] bool.
            noise: CPU generator of the latents' noise; None uses the means.
        """
        whole = dict(single)
        if self.generation is not None:
            whole = self.generation.complete(single, present, noise)
        fused = {
            name: fuser(*(whole[other] for other in self._others(name)))
            for name, fuser in self.fusers.items()
        }
        enriched = whole if self.cmae is None else self.cmae(whole, fused)
        parts = [enriched[name] for name in self.output]
        if self._params.equal_parts:
            parts = [normalize(part, dim=1) for part in parts]
        joint: Tensor = self.final(parts)
        return Encoded(single, whole, fused, enriched, joint)

    def orthogonality(self, encoded: Encoded, rows: Tensor | None = None) -> Tensor:
        """L_s (equations 23-25), or L_sf where fused vectors count as well.

        Args:
            encoded: Vectors of some entities.
            rows: Those of them that count, [k]; None is all. Drawn at random, they give an unbiased
                estimate: L_s is a mean over entities.
        """
        total = torch.zeros((), device=encoded.joint.device)
        if self.cmae is None:
            return total
        whole, fused = encoded.whole, encoded.fused
        if rows is not None:
            whole, fused = (
                {name: vectors.index_select(0, rows) for name, vectors in of.items()}
                for of in (whole, fused)
            )
        for name, source in self.cmae.pairs(with_fused=self._params.fused_orthogonality):
            remainder = whole[name] - self.cmae.attended(name, source, whole, fused)
            other = fused[name] if source == FUSED else whole[source]
            total = total + orthogonality_loss(remainder, other)
        return total
