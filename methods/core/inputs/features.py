"""Input features of entities, built from a view in one place for all methods.

Rows are joint ids: source entities first, then target entities.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from torch import Tensor
from torch.nn.functional import normalize

from mmea_bench.datasets.core.model.features import FillRule, fill_lacking
from mmea_bench.datasets.core.model.row_keys import distinct_rows, sorted_rows
from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.inputs.names import hashed_word_table, joint_names

TOP_FEATURES = 1000
"""Relations and attributes that count as features in EVA's and MCLEA's released code."""

WORD_DIM = 300


def relation_counts(graph: JointGraph, n_top: int = TOP_FEATURES) -> Tensor:
    """How often an entity is head or tail of each frequent relation, [n_entities, n_top] float32.

    The columns are the ``n_top`` most frequent relations over both graphs, most frequent first;
    columns without a relation stay zero. A triple of an entity with itself counts twice.
    """
    return torch.from_numpy(_relation_cells(graph, n_top).toarray())


def attribute_bags(graph: JointGraph, n_top: int = TOP_FEATURES) -> Tensor:
    """Which frequent attributes an entity has, binary, [n_entities, n_top] float32.

    The columns are the ``n_top`` attribute names that most entities of both graphs have.
    """
    return torch.from_numpy(_bag_cells(graph, n_top).toarray())


def attribute_cells(
    graph: JointGraph, n_top: int = TOP_FEATURES
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Entities and columns of the ones of ``attribute_bags``, sorted by entity, then column."""
    pairs = distinct_rows(graph.attributes)
    column = _columns_of_top(np.bincount(pairs[:, 1], minlength=graph.n_attributes), n_top)
    pairs[:, 1] = column[pairs[:, 1]]
    rows, columns = sorted_rows(pairs[pairs[:, 1] >= 0]).T
    return rows, columns


def modality_features(
    view: TrainView, modality: str, ctx: RunContext, fill: FillRule | None = None
) -> Tensor:
    """L2-normalised vectors of a feature modality of both graphs, [n_entities, dim] float32.

    Args:
        view: Dataset with features of the modality.
        modality: Such as ``image``.
        ctx: Gives the generator of the stand-ins.
        fill: Stand-in for lacking vectors; ``normal`` draws from the mean and standard deviation
            of the present vectors of both graphs, as EVA's and MCLEA's released code does. None
            is ``normal`` in entity alignment and ``zeros`` in an N-MMKG, whose nodes lack every
            modality but one by definition.
    """
    fill = fill or ("zeros" if view.task == "n-mmkg" else "normal")
    both = view.joint_features(modality)
    values, present = both.values, both.present
    generator = ctx.numpy_generator(f"fill {modality}")
    return normalize(torch.from_numpy(fill_lacking(values, present, fill, generator)), dim=1)


def neighbour_mean_features(
    view: TrainView, modality: str, graph: JointGraph, ctx: RunContext
) -> Tensor:
    """As ``modality_features``, but lacking vectors are the mean over the neighbours' vectors.

    Every triple counts once, so a neighbour on two triples weighs twice. Entities without such a
    neighbour share one vector, drawn per dimension from the normal distribution of the present
    ones. LoginMEA's released code does so (option ``use_mean_img``).
    """
    both = view.joint_features(modality)
    values, present = both.values, both.present
    heads, _, tails = graph.triples.T
    ends, others = np.concatenate([heads, tails]), np.concatenate([tails, heads])
    used = ~present[ends] & present[others]
    ones = np.ones(int(used.sum()), dtype=np.float32)
    size = graph.n_entities
    links = csr_matrix((ones, (ends[used], others[used])), shape=(size, size))
    counts = np.asarray(links.sum(axis=1)).ravel()
    noise = ctx.numpy_generator(f"fill {modality}").standard_normal(values.shape[1])
    alone = values[present].mean(axis=0) + values[present].std(axis=0) * noise
    filled = np.where((~present & (counts == 0))[:, None], alone.astype(np.float32), values)
    linked = counts > 0
    filled[linked] = (links[linked] @ values) / counts[linked, None]
    return normalize(torch.from_numpy(filled), dim=1)


def word_vectors(view: TrainView, ctx: RunContext, *, unit: bool = True) -> Tensor:
    """Mean of the word vectors of each entity's name, [n_entities, 300].

    Vectors come from the dataset (modality ``word``) where it carries them; the log says so if they
    have another dimension than the 300 that papers use. Otherwise every word
    gets a fixed random vector made from a hash of its letters, which keeps only the identity of
    words; the log then says that the word vectors are simulated. Names without words get U(-0.5,
    0.5), as in MCLEA's released code.

    Args:
        view: Names, and their vectors where the dataset carries them.
        ctx: Generators and log.
        unit: Whether rows are L2-normalised; otherwise they are the means as they are, of several
            lengths, and rows drawn for names without words are as long as they were drawn.
    """
    if "word" in view.features:
        values = np.array(view.joint_features("word").values)
        say_dimension(values.shape[1], ctx)
        return filled_uniformly(values, ctx, "words", unit=unit)
    ctx.log.simulated["word_vectors"] = "hashed words stand in for GloVe-6B vectors"
    words = [name.lower().split() for name in joint_names(view)]
    vocabulary = {word: index for index, word in enumerate(dict.fromkeys(_flat(words)))}
    table = hashed_word_table(list(vocabulary), WORD_DIM)
    means = _incidence(words, vocabulary) @ table
    return filled_uniformly(np.asarray(means, dtype=np.float32), ctx, "words", unit=unit)


def say_dimension(n_columns: int, ctx: RunContext) -> None:
    """Has the log say so if word vectors have another dimension than the 300 that papers use."""
    if n_columns != WORD_DIM:
        stand_in = f"word vectors of {n_columns} dimensions stand in for those of {WORD_DIM}"
        ctx.log.simulated["word_vectors"] = stand_in


def bigram_counts(view: TrainView, ctx: RunContext) -> Tensor:
    """Counts of the character bigrams inside the words of each name, L2-normalised.

    The vocabulary is every bigram of both graphs, so the number of columns depends on the dataset.
    Names without bigrams get U(-0.5, 0.5), as in MCLEA's released code.
    """
    bigrams = [
        [word[i : i + 2] for word in name.lower().split() for i in range(len(word) - 1)]
        for name in joint_names(view)
    ]
    vocabulary = {bigram: index for index, bigram in enumerate(sorted(set(_flat(bigrams))))}
    counts = _incidence(bigrams, vocabulary).toarray()
    return filled_uniformly(counts.astype(np.float32), ctx, "bigrams")


def _flat(lists: list[list[str]]) -> list[str]:
    return [item for items in lists for item in items]


def _columns_of_top(counts: NDArray[np.int64], n_top: int) -> NDArray[np.int64]:
    """Column of each id among the most frequent ones; -1 for the others and for unused ids."""
    order = np.argsort(-counts, kind="stable")[:n_top]
    order = order[counts[order] > 0]
    column = np.full(len(counts), -1, dtype=np.int64)
    column[order] = np.arange(len(order))
    return column


def _relation_cells(graph: JointGraph, n_top: int) -> csr_matrix:
    column = _columns_of_top(np.bincount(graph.triples[:, 1], minlength=graph.n_relations), n_top)
    heads, relations, tails = graph.triples.T
    rows, used = np.concatenate([heads, tails]), column[np.concatenate([relations, relations])]
    kept = used >= 0
    return _counted(rows[kept], used[kept], (graph.n_entities, n_top))


def _bag_cells(graph: JointGraph, n_top: int) -> csr_matrix:
    return _counted(*attribute_cells(graph, n_top), (graph.n_entities, n_top))


def _counted(
    rows: NDArray[np.int64], columns: NDArray[np.int64], shape: tuple[int, int]
) -> csr_matrix:
    """How often each cell is named, sorted, each cell once."""
    counts = csr_matrix((np.ones(len(rows), dtype=np.float32), (rows, columns)), shape=shape)
    counts.sum_duplicates()
    return counts


def _incidence(items: list[list[str]], vocabulary: dict[str, int]) -> csr_matrix:
    lengths = np.array([len(row) for row in items])
    columns = np.fromiter((vocabulary[item] for item in _flat(items)), dtype=np.int64)
    rows = np.repeat(np.arange(len(items)), lengths)
    ones = np.ones(len(columns), dtype=np.float32)
    return csr_matrix((ones, (rows, columns)), shape=(len(items), max(1, len(vocabulary))))


def filled_uniformly(
    rows: NDArray[np.float32], ctx: RunContext, purpose: str, *, unit: bool = True
) -> Tensor:
    """Rows, L2-normalised if ``unit``; empty ones are drawn from U(-0.5, 0.5) in place: [n, d]."""
    empty = ~rows.any(axis=1)
    generator = ctx.numpy_generator(f"fill {purpose}")
    rows[empty] = generator.uniform(-0.5, 0.5, size=(int(empty.sum()), rows.shape[1]))
    filled = torch.from_numpy(rows)
    return normalize(filled, dim=1) if unit else filled


def input_features(
    view: TrainView,
    graph: JointGraph,
    modalities: tuple[str, ...],
    ctx: RunContext,
    *,
    sparse: bool = False,
    only_existing: bool = False,
) -> dict[str, Tensor]:
    """Input features of all modalities that need a plain linear encoder, keyed by modality.

    Args:
        view: Dataset.
        graph: Its union graph.
        modalities: Names among ``relation``, ``attribute``, ``image``, ``word``, ``bigram`` and
            further feature modalities of the dataset; ``structure`` is left out.
        ctx: Device, generators and log.
        sparse: Whether counts of relations and bags of attributes come in compressed sparse row
            form. Some ten of an entity's thousand cells are filled: dense, those of two KGs of
            100,000 entities take 1.5 GiB.
        only_existing: Whether attributes have as many columns as attributes exist, where these
            are fewer than the most frequent thousand; initial values depend on their number.
    """
    n_bags = min(TOP_FEATURES, max(1, graph.n_attributes)) if only_existing else TOP_FEATURES
    cells = {
        "relation": lambda: _relation_cells(graph, TOP_FEATURES),
        "attribute": lambda: _bag_cells(graph, n_bags),
    }
    vectors = {"word": word_vectors, "bigram": bigram_counts}
    found = {}
    for name in modalities:
        if name in cells:
            counts = cells[name]()
            found[name] = _sparse(counts) if sparse else torch.from_numpy(counts.toarray())
        elif name in vectors:
            found[name] = vectors[name](view, ctx)
        elif name != "structure":
            found[name] = modality_features(view, name, ctx)
    return {name: features.to(ctx.device) for name, features in found.items()}


def _sparse(cells: csr_matrix) -> Tensor:
    starts, columns, values = map(torch.from_numpy, (cells.indptr, cells.indices, cells.data))
    shape = (cells.shape[0], cells.shape[1])
    return torch.sparse_csr_tensor(starts, columns, values, shape, check_invariants=False)
