"""Contract of a method: what it declares, what it is given, what it returns."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from mmea_bench.datasets.core.errors import UserError, unknown_name
from mmea_bench.datasets.core.model.pair import Task
from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.datasets.core.options import build_options
from mmea_bench.datasets.core.paper import Paper
from mmea_bench.methods.core.pair_scores import PairScores
from mmea_bench.methods.core.read_files import files_of_parameters
from mmea_bench.methods.core.search_space import Dimension
from mmea_bench.methods.core.settings import check_modalities
from mmea_bench.methods.core.training_log import TrainingLog

StopRule = Literal["last", "valid", "test"]
Similarity = Literal["cosine", "abs-cosine", "inner", "manhattan", "euclidean"]
FULL = "full"
"""Name of the variant without overrides."""


class DivergedError(Exception):
    """The loss became NaN or infinite."""


class DeadlineError(Exception):
    """The time allowed for the cell is over."""


class StoppedError(Exception):
    """The training was asked to stop; its state was kept if it could be."""


class StateError(Exception):
    """The state kept of a training does not fit it; the training must be set up again."""


@dataclass(frozen=True)
class NoParams:
    """Parameters of a method that has none."""


@dataclass(frozen=True)
class Scoring:
    """How the published numbers of a method were scored.

    Attributes:
        similarity: How vectors were compared; None is the one that the method returns.
        csls: Neighbourhood size, 0 for the plain similarity.
        decoder: Address of what turned scores into pairs, such as ``sinkhorn[temperature=0.02]``;
            ``none`` where links were ranked by their scores.
        candidates: ``test`` for the entities of the test links, ``unseeded`` for all entities that
            stand in no seed link, ``all`` for every entity.
    """

    similarity: Similarity | None = None
    csls: int = 0
    decoder: str = "none"
    candidates: Literal["test", "unseeded", "all"] = "test"


@dataclass(frozen=True)
class StopScore:
    """The number by which released code chooses its checkpoint.

    Attributes:
        metric: What is measured.
        direction: Which KG asks; ``mean`` is of both, ``max`` the better one.
        csls: Neighbourhood size, 0 for the plain similarity; None is that of the learning curves.
        patience: Evaluations without a better number after which that code stops; 0 is never.
    """

    metric: Literal["mrr", "hits@1", "hits@10"] = "mrr"
    direction: Literal["src2tgt", "tgt2src", "mean", "max"] = "mean"
    csls: int | None = None
    patience: int = 0


@dataclass(frozen=True, eq=False)
class Embeddings:
    """What a method returns: comparable vectors of all entities of both KGs.

    A method that does not end in vectors returns ``PairScores`` instead.

    Attributes:
        source: [n_source, dim] on any device, not necessarily normalised; float32, or half
            precision where there are thousands of columns. Scores are single precision anyway.
        target: [n_target, dim].
        similarity: How the method compares vectors; distances count negated, so that higher is
            better everywhere.
        by_modality: Optional per-modality vectors (source, target), for analyses.
        modality_weights: Optional learned fusion weight per modality.
        n_parts: Equal runs of columns, each with neighbourhood means of its own, whose average is
            that of CSLS; for a score that is the mean of several, each rescaled by itself.
    """

    source: Tensor
    target: Tensor
    similarity: Similarity = "cosine"
    by_modality: Mapping[str, tuple[Tensor, Tensor]] = field(default_factory=dict)
    modality_weights: Mapping[str, float] = field(default_factory=dict)
    n_parts: int = 1

    def clone(self) -> Embeddings:
        """The same vectors in memory of their own, without gradients."""
        return Embeddings(
            self.source.detach().clone(),
            self.target.detach().clone(),
            self.similarity,
            {
                name: (source.detach().clone(), target.detach().clone())
                for name, (source, target) in self.by_modality.items()
            },
            dict(self.modality_weights),
            self.n_parts,
        )

    def save(self, path: Path) -> None:
        """Writes the joint vectors to an ``.npz`` file that needs no pickle to read."""
        np.savez(
            path,
            source=self.source.detach().cpu().numpy(),
            target=self.target.detach().cpu().numpy(),
            similarity=np.array(self.similarity),
            n_parts=np.array(self.n_parts),
        )

    @classmethod
    def load(cls, path: Path) -> Embeddings:
        """The joint vectors written by ``save``."""
        with np.load(path, allow_pickle=False) as stored:
            return cls(
                torch.from_numpy(stored["source"]),
                torch.from_numpy(stored["target"]),
                str(stored["similarity"]),  # type: ignore[arg-type]
                n_parts=int(stored["n_parts"]) if "n_parts" in stored else 1,
            )


Alignment = Embeddings | PairScores
"""What a method may return; all that scores, watches or keeps it takes both."""


Monitor = Callable[[int, float, Alignment], float | None]
"""Called as (epoch, loss, embeddings or scores); returns the score to choose a checkpoint by, or
None where the protocol says that the last epoch counts."""

Ticker = Callable[[int, int, float], None]
"""Called as (epoch, n_epochs, loss) after every epoch, for the progress display."""


class TrainingStates(ABC):
    """Keeps the state of a cell's trainings, so that an interrupted one can go on.

    Attributes:
        static: Objects that every attempt of the cell has anyway (such as the data), by name.
    """

    static: Mapping[str, object]

    @property
    @abstractmethod
    def is_due(self) -> bool:
        """Whether enough time has passed since a state was kept."""

    @property
    @abstractmethod
    def is_stop_asked(self) -> bool:
        """Whether the training is to keep its state and end."""

    @abstractmethod
    def next_training(self) -> tuple[int, bytes] | None:
        """A training loop begins: epoch and snapshot that an earlier attempt kept of it."""

    @abstractmethod
    def keep(self, epoch: int, snapshot: bytes) -> None:
        """Keeps the state at the end of an epoch of the current training loop."""

    @abstractmethod
    def give_up(self, why: str) -> None:
        """The state cannot be written down; no further attempt is made."""

    @abstractmethod
    def begin_anew(self, why: str) -> None:
        """Removes what was kept of this cell; its training is to be set up again."""


@dataclass
class RunContext:
    """Everything a training gets besides the data.

    Attributes:
        rng_seed: Seed of this training; derived from (method, dataset, seed ratio, repeat).
        device: Where tensors live.
        monitor: Scores embeddings on the links that the protocol allows.
        eval_every: Epochs between two calls of ``monitor``; 0 leaves it to the method.
        patience: Calls of ``monitor`` without improvement after which training stops, at the least
            (see ``Schedule.patience``); 0 is never.
        released_patience: The same of released code, to the letter; where ``patience`` is 0.
        deadline: ``time.monotonic()`` value after which training must stop, or None.
        tick: Progress callback.
        cache_dir: Where costly inputs (such as encoded texts) may be kept, None for nowhere.
        states: Keeps the state of long trainings, None for nowhere.
        log: Filled by the training.
    """

    rng_seed: int
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    monitor: Monitor | None = None
    eval_every: int = 0
    patience: int = 0
    released_patience: int = 0
    deadline: float | None = None
    tick: Ticker | None = None
    cache_dir: Path | None = None
    states: TrainingStates | None = None
    log: TrainingLog = field(default_factory=TrainingLog)

    def generator(self, purpose: str = "") -> torch.Generator:
        """A CPU generator whose stream depends on the seed and the purpose alone.

        Random numbers are drawn on the CPU and moved, so that every device starts alike.
        """
        offset = sum((position + 1) * byte for position, byte in enumerate(purpose.encode()))
        return torch.Generator().manual_seed((self.rng_seed * 1_000_003 + offset) % (2**63))

    def numpy_generator(self, purpose: str = "") -> np.random.Generator:
        """As ``generator``, for NumPy."""
        return np.random.default_rng([self.rng_seed, *purpose.encode()])

    def check_deadline(self) -> None:
        """Raises ``DeadlineError`` once the cell's time is over."""
        if self.deadline is not None and time.monotonic() > self.deadline:
            raise DeadlineError


class Method(ABC):
    """An alignment method; one file in ``methods/`` defines one subclass.

    Attributes:
        paper: Citation, None for baselines of our own.
        tasks: Tasks it can be run on.
        modalities: Modalities the method can use; lacking ones are left out. A training is shown
            nothing else of a dataset (``used_modalities``).
        requires: Modalities without which it cannot run; a dataset lacking one is skipped.
        Params: Frozen dataclass of every tunable, default = value behind the published numbers.
        grid: Parameter to the values of its published sweep.
        search_space: Parameter to the values that a tuning may try, its default among them; where
            it is empty, a tuning takes ``grid`` and the usual ranges of ``docs/tuning.md``.
        variants: Name as the paper prints it to the overrides that make it.
        no_op_variants: Variants that leave the vectors as they are, such as another scoring, with
            the reason; of all others the battery shows that they change them.
        idle_variants: Variants in which trainable parameters learn nothing, such as the weight of a
            loss that is left out, with the reason; of all others the battery shows that each does.
        waits_for_device: Why the steps of a training wait for a GPU; the battery shows that those
            of others, where it is empty, do not.
        test_params: Overrides with which the test battery takes seconds.
        paper_stop: Checkpoint rule of the released code, used by the protocol ``paper``.
        paper_stop_score: Number by which it chooses, if not ``last``; None is the protocol's.
        published_scoring: How its published numbers were scored; the protocol ``paper`` scores with
            it beside the common rules. None where no source states it.
        published_settings: Pattern of dataset names (such as ``fb15k-*``) to the overrides that its
            published numbers on these datasets were trained with; applied by the protocol
            ``paper``, below variants and single overrides. The first pattern that fits counts.
            Empty where all datasets share the defaults.
    """

    paper: ClassVar[Paper | None] = None
    tasks: ClassVar[tuple[Task, ...]] = ("entity-alignment",)
    modalities: ClassVar[tuple[str, ...]] = ()
    requires: ClassVar[tuple[str, ...]] = ()
    Params: ClassVar[type[Any]] = NoParams
    grid: ClassVar[Mapping[str, tuple[object, ...]]] = {}
    search_space: ClassVar[Mapping[str, Dimension]] = {}
    variants: ClassVar[Mapping[str, Mapping[str, object]]] = {}
    no_op_variants: ClassVar[Mapping[str, str]] = {}
    idle_variants: ClassVar[Mapping[str, str]] = {}
    waits_for_device: ClassVar[str] = ""
    test_params: ClassVar[Mapping[str, object]] = {}
    paper_stop: ClassVar[StopRule] = "last"
    paper_stop_score: ClassVar[StopScore | None] = None
    published_scoring: ClassVar[Scoring | None] = None
    published_settings: ClassVar[Mapping[str, Mapping[str, object]]] = {}

    def __init__(self, params: Any = None) -> None:
        self.params = self.Params() if params is None else params

    @classmethod
    def configure(
        cls,
        name: str,
        variant: str = FULL,
        overrides: Mapping[str, object] | None = None,
        published_for: str | None = None,
    ) -> Method:
        """The method with published settings, a named variant and then single overrides applied.

        Args:
            name: Catalogue name, for error texts.
            variant: Named variant.
            overrides: Single parameters; they win over the variant.
            published_for: Address of a dataset whose published settings lie below the variant;
                None applies none.

        Raises:
            UserError: If variant, parameter or modality do not exist, or a value does not fit.
        """
        if variant != FULL and variant not in cls.variants:
            raise UserError(unknown_name(f"variant of {name}", variant, [FULL, *cls.variants]))
        published = cls.published_for(published_for)[1] if published_for else {}
        chosen = {**published, **cls.variants.get(variant, {}), **(overrides or {})}
        params = build_options(f"parameter of {name}", cls.Params, chosen)
        check_modalities(name, params, cls.modalities)
        return cls(params)

    @classmethod
    def published_for(cls, dataset: str) -> tuple[str, Mapping[str, object]]:
        """Pattern and overrides of the published settings for a dataset; ("", {}) without any.

        Args:
            dataset: Address; its options do not count.
        """
        name = dataset.partition("[")[0]
        for pattern, overrides in cls.published_settings.items():
            if fnmatchcase(name, pattern):
                return pattern, overrides
        return "", {}

    def skip_reason(self, modalities: tuple[str, ...]) -> str | None:
        """Why the method cannot run on a dataset with these modalities; None if it can.

        A required modality is lacking, or there is none of those that are encoded.
        """
        lacking = [modality for modality in self.requires if modality not in modalities]
        if lacking:
            return f"the dataset lacks: {', '.join(lacking)}"
        wanted = getattr(self.params, "modalities", self.modalities)
        if wanted and not self.chosen_modalities(modalities):
            return f"the dataset has none of: {', '.join(wanted)}"
        return None

    @property
    def is_iterative(self) -> bool:
        """Whether this configuration gets as far as learning from pseudo-labels."""
        return bool(getattr(self.params, "reaches_pseudo_labels", False))

    @property
    def needs_seeds(self) -> bool:
        """Whether this configuration reads seed links; one that does not can do without any."""
        return True

    def chosen_modalities(self, offered: tuple[str, ...]) -> tuple[str, ...]:
        """Modalities that this configuration encodes, of a dataset that offers ``offered``.

        Those of the parameter ``modalities`` where there is one, else all declared ones.
        """
        wanted = getattr(self.params, "modalities", self.modalities)
        return tuple(modality for modality in wanted if modality in offered)

    @property
    def further_modalities(self) -> tuple[str, ...]:
        """Modalities read besides the encoded ones, such as the one that gives pseudo-seeds."""
        return ()

    def used_modalities(self, offered: tuple[str, ...]) -> tuple[str, ...]:
        """Modalities that this configuration reads of a dataset that offers ``offered``.

        Encoded and required ones and ``further_modalities``, all that the view of ``fit`` holds.
        """
        read = (*self.chosen_modalities(offered), *self.requires, *self.further_modalities)
        return tuple(modality for modality in dict.fromkeys(read) if modality in offered)

    def files_read(self) -> tuple[Path, ...]:
        """Files beside the dataset that this configuration reads; their content moves its keys.

        Every file, or folder of a model, that a parameter names by its path; add others in a
        method that finds them in another way.
        """
        return files_of_parameters(self.params)

    @abstractmethod
    def fit(self, view: TrainView, ctx: RunContext) -> Alignment:
        """Trains on the seed links of ``view``; returns vectors of all entities or scores of pairs.

        Raises:
            DivergedError: If the loss is not finite.
            DeadlineError: If ``ctx.deadline`` has passed.
        """
