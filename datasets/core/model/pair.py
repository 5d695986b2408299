"""Two knowledge graphs, their features and the anchor links between them."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mmea_bench.datasets.core.errors import DataError, shown
from mmea_bench.datasets.core.model.features import Features
from mmea_bench.datasets.core.model.graph import Ids, KnowledgeGraph, Text, frozen_array
from mmea_bench.datasets.core.model.nodes import check_nodes
from mmea_bench.datasets.core.model.row_keys import counted_rows

Task = Literal["entity-alignment", "n-mmkg"]
"""What a dataset asks: which entities are the same (ranked, Hits@k), or which nodes of two graphs
whose nodes are texts and images mean the same (many-to-many pairs, precision and recall)."""

MODALITIES = ("structure", "relation", "attribute", "image", "text", "name")
"""Every modality name that a dataset can offer, in printing order."""


@dataclass(frozen=True, eq=False)
class Fold:
    """One published split: link rows as positions in ``KGPair.anchor_links``.

    Attributes:
        name: Folder of its files, below that of the dataset.
        train: Links to train on.
        valid: Links to choose a checkpoint by; may be empty.
        test: Links to evaluate on.
        problem: Why it cannot be used; the parts are then empty. A split that nobody asks for
            must not refuse its dataset, and one that is asked for must not be replaced by another.
    """

    name: str
    train: NDArray[np.int64]
    valid: NDArray[np.int64]
    test: NDArray[np.int64]
    problem: str = field(default="", kw_only=True)

    @classmethod
    def broken(cls, name: str, problem: str) -> Fold:
        """A split whose files cannot be used."""
        nothing = (np.empty(0, dtype=np.int64) for _ in range(3))
        return cls(name, *nothing, problem=problem)


@dataclass(frozen=True)
class WrongSeeds:
    """That some training seeds are wrong on purpose; see ``wrong_seeds``.

    Attributes:
        share: Share of the training seed links whose target is a wrong one.
        seed: Seed of their choice.
        numbers: A random number for each anchor link, [n_links]: who has the smallest is wrong
            first.
    """

    share: float
    seed: int
    numbers: NDArray[np.uint64] = field(repr=False, compare=False)


_NO_IDS: Ids = np.empty(0, dtype=np.int32)
_NO_IDS.setflags(write=False)


@dataclass(frozen=True, eq=False)
class KGPair:
    """A loaded dataset.

    Attributes:
        dataset: Canonical address, such as ``fb15k-db15k`` or ``synthetic[n=1000]``.
        source: Source KG.
        target: Target KG.
        anchor_links: All known pairs (source id, target id), [n_links, 2] int32; an entity may
            stand in several links.
        features: Modality name to (source features, target features).
        simulated: Modalities whose features were made up, not measured; every result row that
            used them says so.
        notes: Sentences about what was found and what is missing, for the user.
        folds: Published splits, where the files carry them.
        version: Content hash, 12 hex digits; equal content gives an equal version whatever the
            file layout or line order.
        task: What the dataset asks. In ``n-mmkg`` a node has exactly one of the modalities
            ``text`` and ``image``, and links are pairs of nodes, many to many.
        dangling: Entities of source and target KG that are known to have no partner, ids; entities
            of which nobody knows are not among them. No method is told.
        wrong_seeds: Noise of the training seeds; None for none.
        hidden: What transforms took away: counts, keyed as those of ``count_pair``.

    Raises:
        DataError: If a link names an entity that does not exist, a link, an entity, a relation or
            an attribute stands twice, parts of a fold share a link, both KGs have one name, feature
            rows do not match, or a node of an N-MMKG has not exactly one modality.
    """

    dataset: str
    source: KnowledgeGraph
    target: KnowledgeGraph
    anchor_links: Ids
    features: Mapping[str, tuple[Features, Features]] = field(default_factory=dict)
    simulated: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    folds: tuple[Fold, ...] = ()
    version: str = ""
    task: Task = "entity-alignment"
    dangling: tuple[Ids, Ids] = (_NO_IDS, _NO_IDS)
    wrong_seeds: WrongSeeds | None = None
    hidden: Mapping[tuple[str, str], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        links = self.anchor_links
        if links.ndim != 2 or links.shape[1] != 2:
            raise DataError(f"{self.dataset}: anchor links need shape [n, 2], not {links.shape}.")
        sizes = self.sizes
        for column, size in enumerate(sizes):
            if len(links) and (links[:, column].min() < 0 or links[:, column].max() >= size):
                raise DataError(f"{self.dataset}: an anchor link names an entity out of range.")
        self._check_repeats()
        for modality, (source, target) in self.features.items():
            if (len(source.values), len(target.values)) != sizes:
                raise DataError(
                    f"{self.dataset}: {modality} features have {len(source.values)} and "
                    f"{len(target.values)} rows, the graphs have {sizes[0]} and {sizes[1]}."
                )
            if source.dim != target.dim:
                raise DataError(
                    f"{self.dataset}: {modality} features have {source.dim} columns in the source "
                    f"and {target.dim} in the target KG; both need the same."
                )
        if self.task == "n-mmkg":
            check_nodes(self.dataset, (self.source, self.target), self.features)
        for ids in (links, *self.dangling):
            frozen_array(ids)
        object.__setattr__(self, "features", MappingProxyType(dict(self.features)))
        if not self.version:
            object.__setattr__(self, "version", content_version(self))

    def _check_repeats(self) -> None:
        """What stands twice would be a seed link and a test link, or two rows of one entity."""
        if self.source.name == self.target.name:
            problem = f"both KGs are called {shown(self.source.name)}"
            raise DataError(f"{self.dataset}: {problem}. Give each a name of its own.")
        for graph in (self.source, self.target):
            _check_distinct(f"{self.dataset}: {graph.name}", graph)
        links, counts = counted_rows(self.anchor_links)
        if len(links) < len(self.anchor_links):
            link = self._link(links[counts.argmax()])
            raise DataError(f"{self.dataset}: {link} stands twice. Give each anchor link once.")
        for fold in self.folds:
            rows = np.concatenate([fold.train, fold.valid, fold.test])
            if len(rows) and (rows.min() < 0 or rows.max() >= len(links)):
                problem = f"split {fold.name} has places outside of the {len(links):,} anchor links"
                raise DataError(f"{self.dataset}: {problem}. Give rows of anchor_links.")
            times = np.bincount(rows, minlength=1)
            if times.max() > 1:
                link = self._link(self.anchor_links[times.argmax()])
                problem = f"{link} stands twice in split {fold.name}"
                raise DataError(f"{self.dataset}: {problem}. Give each link to one of its parts.")

    def _link(self, ids: Ids) -> str:
        ends = (self.source.entities[ids[0]], self.target.entities[ids[1]])
        return "the link of " + " and ".join(map(shown, ends))

    def __getstate__(self) -> dict[str, object]:
        state = {**self.__dict__, "features": dict(self.features)}
        # Last: the memory of an array that is mapped from the file begins up to a page before it,
        # and what a training is shown must not lie behind the links.
        return state | {name: state.pop(name) for name in ("dangling", "folds", "anchor_links")}

    def __setstate__(self, state: dict[str, object]) -> None:
        features = state["features"]
        assert isinstance(features, dict)  # noqa: S101 - written by __getstate__ above
        self.__dict__.update(state, features=MappingProxyType(features))
        frozen_array(self.anchor_links)

    @property
    def sizes(self) -> tuple[int, int]:
        """Numbers of source and target entities."""
        return self.source.n_entities, self.target.n_entities

    @property
    def modalities(self) -> tuple[str, ...]:
        """Modalities that both KGs offer, in the order of ``MODALITIES``."""
        graphs = (self.source, self.target)
        offered = {
            "structure": all(len(graph.relation_triples) for graph in graphs),
            "relation": all(len(graph.relation_triples) for graph in graphs),
            "attribute": all(len(graph.attribute_triples) for graph in graphs),
            # A node of an N-MMKG has one modality; its label is where its text vector comes from.
            "name": self.task != "n-mmkg" and all(graph.has_names for graph in graphs),
        } | {
            modality: all(side.n_present for side in sides)
            for modality, sides in self.features.items()
        }
        known = tuple(modality for modality in MODALITIES if offered.get(modality))
        return known + tuple(sorted(m for m in offered if offered[m] and m not in MODALITIES))


def _check_distinct(place: str, graph: KnowledgeGraph) -> None:
    kinds = {"entity": graph.entities, "relation": graph.relations, "attribute": graph.attributes}
    for kind, texts in kinds.items():
        listed = texts.tolist()
        if len(set(listed)) < len(listed):
            twice = Counter(listed).most_common(1)[0][0]
            raise DataError(f"{place} has {kind} {shown(twice)} twice. Give each {kind} once.")


def content_version(pair: KGPair) -> str:
    """SHA-256 over everything a method or the protocol can read, as 12 hex digits."""
    digest = hashlib.sha256()
    for graph in (pair.source, pair.target):
        for texts in (graph.entities, graph.relations, graph.attributes):
            _add_text(digest, texts)
        _add_array(digest, graph.relation_triples)
        _add_array(digest, graph.attribute_triples)
        _add_text(digest, graph.attribute_values)
        _add_text(digest, graph.names)
    _add_array(digest, pair.anchor_links)
    for modality in sorted(pair.features):
        for side in pair.features[modality]:
            digest.update(modality.encode())
            _add_array(digest, side.values)
            _add_array(digest, side.present)
    digest.update(",".join(sorted(pair.simulated)).encode())
    if pair.task != "entity-alignment":
        digest.update(pair.task.encode())
    if any(map(len, pair.dangling)):
        digest.update(b"dangling")
        for ids in pair.dangling:
            _add_array(digest, ids)
    if pair.wrong_seeds is not None:
        digest.update(f"{pair.wrong_seeds!r}".encode())
    return digest.hexdigest()[:12]


def _text_chunks(texts: Text) -> Iterator[bytes]:
    for start in range(0, len(texts), 65536):
        yield "\x00".join(texts[start : start + 65536].tolist()).encode("utf-8", "surrogatepass")


def _add_text(digest: hashlib._Hash, texts: Text) -> None:
    digest.update(f"text{len(texts)}".encode())
    for chunk in _text_chunks(texts):
        digest.update(chunk)


def _add_array(digest: hashlib._Hash, array: NDArray[np.generic]) -> None:
    digest.update(f"{array.dtype.str}{array.shape}".encode())
    digest.update(np.ascontiguousarray(array).data)
