"""SelfMEA: self-supervised multi-modal entity alignment.

Stage 1 (SelfKG's part) joins a frozen language model's name vectors with those of the neighbours
and pushes entities of one graph apart, without any positive pair. Stage 2 (EVA's part) takes the
most similar images as seeds, fuses the vectors of stage 1 with images, attributes and relations,
and lets mutual nearest neighbours join the seeds. Seed links are never read.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.datasets.core.paper import Paper
from mmea_bench.methods.core.base import Embeddings, RunContext, Scoring
from mmea_bench.methods.core.inputs.features import input_features
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.inputs.names import NameForm, entity_names
from mmea_bench.methods.core.inputs.text_encoders import text_vectors
from mmea_bench.methods.core.inputs.text_method import TextMethod
from mmea_bench.methods.core.layers.multimodal import MultiModalEncoder
from mmea_bench.methods.core.losses.nca import ModalityNCA
from mmea_bench.methods.core.self_supervised.contrastive_stage import (
    ContrastSettings,
    contrastive_stage,
)
from mmea_bench.methods.core.self_supervised.neighbourhood import neighbour_table
from mmea_bench.methods.core.settings import taken_from
from mmea_bench.methods.core.training.feature_seeds import seeds_among_present
from mmea_bench.methods.core.training.seed_training import SeedTrainingParams, train_on_seeds
from mmea_bench.methods.parts.selfmea.fusion_training import FusionTrainingParams

ORDER = ("image", "attribute", "relation", "name")
"""Order of the concatenation; ``name`` is the letter's structure embedding G."""


@dataclass(frozen=True)
class SelfMEAParams(SeedTrainingParams):
    """Hyper-parameters of SelfMEA.

    The letter states none; they are those of the released code of SelfKG and EVA, which it joins.
    """

    modalities: tuple[str, ...] = ("structure", "relation", "attribute", "image", "name")
    text_encoder: str = "labse"  # letter; see methods/core/inputs/text_encoders.py for the others
    names: NameForm = "original"  # of the URIs, SelfKG code; given: translated
    max_tokens: int = 130  # SelfKG code
    contrast: bool = True  # stage 1; False leaves the name vectors as they are
    fusion: bool = True  # stage 2
    n_neighbours: int = 20  # the entity itself included, SelfKG code
    dropout: float = 0.3  # of the attention, SelfKG code
    temperature: float = 0.08  # tau, SelfKG code
    momentum: float = 0.9999  # of the key encoder, SelfKG code
    queue_batches: int = 64  # per graph, SelfKG code
    stage1_batch_size: int = 64  # SelfKG code
    stage1_epochs: int = 150  # SelfKG run script; its default is 300
    stage1_learning_rate: float = 1e-6  # SelfKG code; up to 1e-5 where validation agrees
    positive: Literal["momentum", "constant"] = "momentum"  # SelfKG code; letter: constant
    image_dim: int = 200  # EVA code
    modality_dim: int = 100  # relation and attribute vectors, EVA code
    structure_scale: float = 5.0  # NCA scale of G, EVA code
    modality_scale: float = 15.0  # NCA scale of the others and of the joint vectors, EVA code
    attraction: float = 10.0  # beta, EVA code
    beta: Literal["outside", "inside"] = "outside"  # of the logarithm, EVA code; letter: inside
    # Noisy seeds must not undo stage 1, which the letter's gains stand on; EVA's code treats all
    # modalities alike (1.0 and 5e-4: `literal structure`).
    structure_weight: float = 2.0  # initial logit of G in the fusion, ours
    structure_learning_rate: float = 1e-5  # of G's layer, ours
    seeds: Literal["image", "name"] = "image"  # letter
    n_seeds: int = 6000  # EVA's unsupervised script; tune in 1000, 3000, 6000
    epochs: int = 1000  # EVA script
    learning_rate: float = 5e-4  # EVA code
    weight_decay: float = 0.01  # the library's default, EVA code
    batch_size: int = 7500  # EVA script
    restart_from: int = 1_000_000  # EVA code restarts from 501 on, not described by the letter
    iterative: bool = True  # letter
    iterative_start: int = 500  # EVA script
    check_every: int = 5  # EVA script
    promote_every: int = 50  # EVA script
    eval_every: int = 50  # EVA script


_LITERAL_STRUCTURE = {"structure_weight": 1.0, "structure_learning_rate": 5e-4}


class SelfMEA(TextMethod):
    """SelfMEA rebuilt from the letter and its two parts' code; it published no code of its own."""

    paper = Paper(
        authors="Liu, Song, Xiang, Du, Ruan, Hu",
        title="Self-Supervised Entity Alignment Based on Multi-Modal Contrastive Learning",
        venue="IEEE/CAA Journal of Automatica Sinica",
        year=2022,
        url="https://doi.org/10.1109/JAS.2022.105962",
        interpretation="No code was released.",
    )
    modalities: ClassVar[tuple[str, ...]] = SelfMEAParams.modalities
    requires: ClassVar[tuple[str, ...]] = ("name",)
    Params = SelfMEAParams
    # The letter: cosine, no word of CSLS or candidates; it states no setting of any dataset.
    published_scoring = Scoring("cosine", csls=0)
    grid: ClassVar = {"n_seeds": (1000, 3000, 6000)}
    variants: ClassVar = {
        "names only": {"contrast": False, "fusion": False, "iterative": False},
        "stage 1 only": {"fusion": False, "iterative": False},
        "w/o iteration": {"iterative": False, "epochs": 500},
        "w/o image": {"modalities": ("structure", "relation", "attribute", "name")},
        "w/o attribute": {"modalities": ("structure", "relation", "image", "name")},
        "w/o relation": {"modalities": ("structure", "attribute", "image", "name")},
        "name seeds": {"seeds": "name"},
        "literal structure": _LITERAL_STRUCTURE,
        "translated names": {"names": "given"},
        "offline encoder": {"text_encoder": "minilm", "names": "given"},
        # Equation 7 sums over the modalities alone, which would leave the weights of the fusion
        # where they start; the text has them adjust themselves, so the joint loss stays.
        "as described": {"positive": "constant", "beta": "inside", **_LITERAL_STRUCTURE},
    }
    no_op_variants: ClassVar = {
        "translated names": "the names in URIs are the given ones where nothing was translated"
    }
    test_params: ClassVar = {
        "text_encoder": "hashed",
        "stage1_epochs": 15,  # the first only fills the queue, in a brief training too
        "n_neighbours": 6,
        "image_dim": 16,
        "modality_dim": 16,
        "n_seeds": 60,
        "epochs": 30,
        "iterative_start": 10,
        "promote_every": 10,
        "eval_every": 10,
    }

    @property
    def is_iterative(self) -> bool:
        """Whether stage 2 learns pseudo-labels before its last epoch is over."""
        return bool(self.params.fusion and self.params.reaches_pseudo_labels)

    def chosen_modalities(self, offered: tuple[str, ...]) -> tuple[str, ...]:
        """Names, in stage 1 structure, and in stage 2 what is fused."""
        params: SelfMEAParams = self.params
        stages = {"name": True, "structure": params.contrast}
        return tuple(
            modality
            for modality in super().chosen_modalities(offered)
            if stages.get(modality, params.fusion)
        )

    @property
    def further_modalities(self) -> tuple[str, ...]:
        """Images, where they give the seeds of stage 2."""
        return ("image",) if self.params.fusion and self.params.seeds == "image" else ()

    @property
    def needs_seeds(self) -> bool:
        """No seed link is read."""
        return False

    def fit(self, view: TrainView, ctx: RunContext) -> Embeddings:
        """Trains without seed links and returns all entities' joint vectors."""
        params: SelfMEAParams = self.params
        graph = JointGraph.of(view)
        texts = entity_names(view, params.names)
        names = text_vectors(
            texts, params.text_encoder, "sum tokens", ctx, max_tokens=params.max_tokens
        )
        names = normalize(names, dim=1).to(ctx.device)
        used = self.chosen_modalities(view.modalities)
        found = graph.split(names)
        n_parameters = 0
        if params.contrast:
            width = params.n_neighbours if "structure" in used else 1
            table = torch.from_numpy(neighbour_table(graph, width)).to(ctx.device)
            # Where stage 2 follows, its epochs alone are scored and chosen from.
            stage_ctx = dataclasses.replace(ctx, monitor=None, tick=None) if params.fusion else ctx
            settings = taken_from(params, ContrastSettings)
            found = contrastive_stage(names, table, graph.n_source, settings, stage_ctx)
            n_parameters = ctx.log.n_parameters
        if not params.fusion:
            return found
        vectors = torch.cat([found.source, found.target])
        seeds = pseudo_seeds(view, names, params, ctx)
        fused = fusion_stage(view, graph, vectors, seeds, used, params, ctx)
        ctx.log.n_parameters += n_parameters
        return fused


def pseudo_seeds(view: TrainView, names: Tensor, params: SelfMEAParams, ctx: RunContext) -> Tensor:
    """Most similar images (Algorithm 1), or names, as pairs of joint ids, [<= n_seeds, 2].

    Entities without an image (a name) take no part. A dataset without images gets its seeds from
    names, and the log says so.
    """
    n_source = view.source.n_entities
    if params.seeds == "image" and "image" in view.features:
        images = view.joint_features("image")
        present = torch.tensor(images.present)
        vectors = normalize(torch.tensor(images.values), dim=1).to(names.device)
    else:
        if params.seeds == "image":
            ctx.log.simulated["visual_seeds"] = (
                "the dataset has no images: seeds are the most similar names instead"
            )
        vectors, present = names, names.any(dim=1).cpu()
    return seeds_among_present(vectors, present, n_source, params.n_seeds)


def fusion_stage(
    view: TrainView,
    graph: JointGraph,
    vectors: Tensor,
    seeds: Tensor,
    used: tuple[str, ...],
    params: SelfMEAParams,
    ctx: RunContext,
) -> Embeddings:
    """Stage 2: linear layers per modality, NCA on the seeds, seeds that grow.

    Args:
        view: Dataset.
        graph: Its union graph.
        vectors: Frozen vectors of stage 1, [n_entities, dim].
        seeds: Pairs of joint ids, [n_seeds, 2].
        used: Modalities used.
        params: Hyper-parameters.
        ctx: Device, generators, monitor and log.
    """
    plain = tuple(name for name in used if name in ORDER and name != "name")
    features = input_features(view, graph, plain, ctx, sparse=True) | {"name": vectors}
    dims = dict.fromkeys(features, params.modality_dim) | {"name": vectors.shape[1]}
    dims |= {"image": params.image_dim} if "image" in dims else {}
    order = tuple(name for name in ORDER if name in features)
    generator = ctx.generator("initial values")
    encoder = MultiModalEncoder(graph, features, None, dims, order, 0, generator)
    own_layer = tuple(encoder.linear["name"].parameters())
    with torch.no_grad():
        # The layer starts as the identity: stage 1 is worth far more than the seeds.
        nn.init.eye_(encoder.linear["name"].get_parameter("weight"))
        nn.init.zeros_(encoder.linear["name"].get_parameter("bias"))
        encoder.fusion.logits[order.index("name")] = params.structure_weight
    encoder = encoder.to(ctx.device)
    losses = ModalityNCA(
        encoder.fusion,
        {"name": params.structure_scale},
        params.modality_scale,
        params.batch_size,
        params.attraction,
        beta=params.beta,
        shuffles=ctx.generator("batches"),
    )
    stage = FusionTrainingParams.of(params, own_layer, params.structure_learning_rate)
    return train_on_seeds(encoder, losses, seeds, stage, ctx)
