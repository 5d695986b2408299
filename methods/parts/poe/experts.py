"""Fixed experts of a product of experts: evidence for sameAs as inner products of vectors.

Source of the kinds: MMKG (ESWC 2019) and KBlrn (UAI 2018); how each one is made is ours.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from torch import Tensor
from torch.nn.functional import normalize

from mmea_bench.datasets.core.model.graph import KnowledgeGraph, Text
from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.inputs.attribute_texts import attribute_name
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.inputs.literals import numbers_of
from mmea_bench.methods.core.inputs.presence import images

_SMALLEST_WIDTH = 1e-3
FitBy = Literal["moments", "robust"]
"""How Gaussians are fitted to differences."""

_FEWEST_LINKS = 3
"""Training links that must have both attributes before a Gaussian is fitted to them."""


@dataclass(frozen=True, eq=False)
class ExpertVectors:
    """Vectors whose inner products are an expert's evidence.

    Attributes:
        source: [n_source, dim]; a zero row where the expert has nothing to say.
        target: [n_target, dim].
    """

    source: Tensor
    target: Tensor

    def to(self, device: torch.device) -> ExpertVectors:
        """The same on another device."""
        return ExpertVectors(self.source.to(device), self.target.to(device))

    def logits(self, sources: Tensor, targets: Tensor, *, paired: bool) -> Tensor:
        """Evidence of pairs, [n_sources, n_targets], or [n_sources] where paired.

        Args:
            sources: Ids of source entities, [n_sources].
            targets: Ids of target entities, [n_targets].
            paired: Whether entity i is asked for with entity i alone.
        """
        rows = self.source.index_select(0, sources), self.target.index_select(0, targets)
        return products(*rows, paired=paired)


def products(source: Tensor, target: Tensor, *, paired: bool) -> Tensor:
    """Inner products of rows, all with all or row by row where paired."""
    return (source * target).sum(dim=1) if paired else source @ target.T


def relational_expert(
    graph: JointGraph, pairs: Tensor, dim: int, ctx: RunContext
) -> ExpertVectors | None:
    """Two-step paths ``e - x sameAs y - e'`` through seed links (x, y).

    An entity has one column per seed link, ``1 / sqrt(degree of its end)`` if it is a neighbour of
    that end, so that hubs say little; rows have unit length. The inner product then adds up the
    common paths. Where there are more links than ``dim``, a random projection that preserves inner
    products on average stands in.

    Args:
        graph: Union graph.
        pairs: Seed links as joint ids, [n_seed, 2].
        dim: Columns of the result at most.
        ctx: Gives the generator of the projection.

    Returns:
        The vectors, or None without seed links or triples.
    """
    if not len(pairs) or not len(graph.triples):
        return None
    size, n_source = graph.n_entities, graph.n_source
    heads, tails = graph.triples[:, 0], graph.triples[:, 2]
    proper = heads != tails
    rows = np.concatenate([heads[proper], tails[proper]])
    columns = np.concatenate([tails[proper], heads[proper]])
    adjacency = csr_matrix((np.ones(len(rows), dtype=np.float32), (rows, columns)), (size, size))
    adjacency.data[:] = 1.0  # a neighbour counts once, however many triples lead to it
    degrees = np.maximum(np.asarray(adjacency.sum(axis=1)).ravel(), 1.0)
    projection = _projection(len(pairs), dim, ctx)
    sides = []
    for side, part in ((0, slice(0, n_source)), (1, slice(n_source, size))):
        ends = pairs[:, side].numpy()
        near = adjacency[part][:, ends].multiply(1 / np.sqrt(degrees[ends])[None, :]).tocsr()
        lengths = np.sqrt(np.asarray(near.multiply(near).sum(axis=1)).ravel())
        scaled = near.multiply(1 / np.maximum(lengths, 1e-12)[:, None]).tocsr()
        vectors = scaled.toarray() if projection is None else scaled @ projection
        sides.append(torch.from_numpy(np.asarray(vectors, dtype=np.float32)))
    return ExpertVectors(sides[0], sides[1])


def _projection(n_columns: int, dim: int, ctx: RunContext) -> NDArray[np.float32] | None:
    if n_columns <= dim:
        return None
    signs = ctx.numpy_generator("paths").integers(2, size=(n_columns, dim))
    return ((2 * signs - 1) / math.sqrt(dim)).astype(np.float32)


def feature_expert(
    view: TrainView, modality: str, dim: int, ctx: RunContext
) -> ExpertVectors | None:
    """Cosine of centred feature vectors within their principal directions.

    Lacking vectors stay zero, so the expert says nothing about them.

    Args:
        view: Dataset with features of the modality.
        modality: Such as ``image``.
        dim: Principal directions kept at most.
        ctx: Gives the generator of their search.

    Returns:
        Vectors of unit length or zero; None if no entity has the modality.
    """
    both = view.joint_features(modality)
    values, present = both.values, both.present
    if not present.any():
        return None
    centred = torch.from_numpy(values[present] - values[present].mean(axis=0))
    if centred.shape[1] > dim:
        centred = centred @ principal_directions(centred, dim, ctx.generator(f"{modality} axes"))
    vectors = torch.zeros(len(values), centred.shape[1])
    vectors[torch.tensor(present)] = normalize(centred.float(), dim=1)
    n_source = view.source.n_entities
    return ExpertVectors(vectors[:n_source], vectors[n_source:])


def principal_directions(rows: Tensor, dim: int, generator: torch.Generator) -> Tensor:
    """Orthonormal directions that span nearly the largest ``dim`` principal ones, [n, dim].

    A randomised range finder with two power steps (Halko et al., SIAM Review 2011): a full
    decomposition of 4,096 columns would take minutes on a CPU.
    """
    n_columns = rows.shape[1]
    start = torch.randn(n_columns, min(n_columns, dim + 16), generator=generator)
    basis = torch.linalg.qr(start)[0]
    for _ in range(2):
        basis = torch.linalg.qr(rows.T @ (rows @ basis))[0]
    _, _, rotation = torch.linalg.svd(rows @ basis, full_matrices=False)
    directions: Tensor = basis @ rotation[:dim].T
    return directions


def numerical_expert(
    view: TrainView,
    n_pairs: int,
    n_frequencies: int,
    ctx: RunContext,
    fit_by: FitBy = "moments",
    modalities: Sequence[str] = (),
) -> ExpertVectors | None:
    """Gaussians of the differences of numeric attributes, one per pair of attributes.

    ``exp(-(x - y - c)^2 / s^2)`` with centre c and width s of the differences over the seed links
    that have both attributes; an entity without the attribute says nothing. The Gaussian is not an
    inner product itself: ``2 n_frequencies`` random Fourier features (Rahimi & Recht, NeurIPS 2007)
    approximate it. Each attribute is in one pair at most: ``_matched`` tells which pairs are taken.

    Args:
        view: Values and seed links.
        n_pairs: Largest number of pairs of attributes.
        n_frequencies: Of each Gaussian.
        ctx: Draws the frequencies.
        fit_by: ``moments`` takes mean and deviation of the differences; ``robust`` the median and
            its deviation, of magnitudes beyond one by their logarithm, ``sign(x) log(1 + |x|)``,
            so that neither a wrong unit nor a large population blurs a Gaussian.
        modalities: What the method reads; images among nodes have no numbers where it tells them.

    Returns:
        The vectors, or None if no pair of attributes is numeric on enough seed links.
    """
    source, target = numeric_values(view.source), numeric_values(view.target)
    of_images = images(view, modalities)
    source[of_images[: len(source)]], target[of_images[len(source) :]] = np.nan, np.nan
    if fit_by == "robust":
        source, target = (np.sign(each) * np.log1p(np.abs(each)) for each in (source, target))
    links = np.asarray(view.seed_links, dtype=np.int64)
    found = _gaussians(source[links[:, 0]], target[links[:, 1]], fit_by)
    fits = _matched(found, view.source.attributes, view.target.attributes)[:n_pairs]
    if not fits:
        return None
    generator = ctx.generator("frequencies")
    sides: tuple[list[Tensor], list[Tensor]] = ([], [])
    for fit in fits:
        # The Fourier transform of exp(-d^2 / s^2) is a normal density of deviation sqrt(2) / s.
        frequencies = torch.randn(n_frequencies, generator=generator, dtype=torch.float64)
        frequencies *= math.sqrt(2) / fit.width
        sides[0].append(_waves(source[:, fit.source], frequencies))
        sides[1].append(_waves(target[:, fit.target] + fit.centre, frequencies))
    return ExpertVectors(torch.cat(sides[0], dim=1), torch.cat(sides[1], dim=1))


def numeric_values(graph: KnowledgeGraph) -> NDArray[np.float64]:
    """Mean of an entity's numbers per attribute, NaN where there are none, [n_ent, n_attributes].

    Dates are years with a fraction, as Freebase writes them. Quotes or a datatype that stand around
    a number, as where a file gives the type without quotes, are no part of it.
    """
    shape = (graph.n_entities, graph.n_attributes)
    numbers = numbers_of(graph.attribute_values)
    usable = np.isfinite(numbers)
    rows, columns = graph.attribute_triples[usable].astype(np.int64).T
    totals, counts = np.zeros(shape), np.zeros(shape)
    np.add.at(totals, (rows, columns), numbers[usable])
    np.add.at(counts, (rows, columns), 1.0)
    means: NDArray[np.float64] = np.full(shape, np.nan)
    np.divide(totals, counts, out=means, where=counts > 0)
    return means


@dataclass(frozen=True)
class _Gaussian:
    source: int
    target: int
    centre: float
    width: float
    gain: float


def _gaussians(
    source: NDArray[np.float64], target: NDArray[np.float64], fit_by: FitBy
) -> list[_Gaussian]:
    """Gaussians of all pairs of attributes that tell anything.

    What one tells is how much its width narrows the spread of the values, times the links.

    Args:
        source: Values of the source entities of the links, [n_links, n_source_attributes].
        target: Values of their targets, [n_links, n_target_attributes].
        fit_by: As in ``numerical_expert``.
    """
    found = []
    has_source, has_target = np.isfinite(source), np.isfinite(target)
    common = has_source.T.astype(np.float64) @ has_target.astype(np.float64)
    for first, second in np.argwhere(common >= _FEWEST_LINKS):
        both = has_source[:, first] & has_target[:, second]
        differences = source[both, first] - target[both, second]
        centre, width = _fitted(differences, fit_by)
        width = max(_SMALLEST_WIDTH, width)
        spread = float(source[both, first].std() + target[both, second].std())
        gain = float(both.sum()) * math.log(max(spread, _SMALLEST_WIDTH) / width)
        if gain > 0:
            found.append(_Gaussian(int(first), int(second), centre, width, gain))
    return found


def _matched(found: list[_Gaussian], source: Text, target: Text) -> list[_Gaussian]:
    """Gaussians of matched attributes: those of the same name first, then the most telling.

    Each attribute of each KG is taken once, greedily: births tell something of the years of deaths
    too, and such pairs would fill the places of rarer attributes that both KGs have.

    Args:
        found: Gaussians of pairs of attributes.
        source: Attributes of the source KG.
        target: Of the target KG; names are the same up to their namespaces.
    """
    names = [[attribute_name(uri) for uri in uris] for uris in (source, target)]

    def rank(fit: _Gaussian) -> tuple[bool, float]:
        return names[0][fit.source] != names[1][fit.target], -fit.gain

    kept: list[_Gaussian] = []
    taken: tuple[set[int], set[int]] = (set(), set())
    for fit in sorted(found, key=rank):
        if fit.source not in taken[0] and fit.target not in taken[1]:
            kept.append(fit)
            taken[0].add(fit.source)
            taken[1].add(fit.target)
    return kept


def _fitted(differences: NDArray[np.float64], fit_by: FitBy) -> tuple[float, float]:
    """Centre and width of a Gaussian."""
    if fit_by == "moments":
        return float(differences.mean()), float(differences.std())
    centre = float(np.median(differences))
    return centre, 1.4826 * float(np.median(np.abs(differences - centre)))


def _waves(values: NDArray[np.float64], frequencies: Tensor) -> Tensor:
    """Fourier features of one attribute, zero where it is lacking, [n_ent, 2 n_frequencies]."""
    lacking = torch.from_numpy(np.isnan(values))
    angles = torch.from_numpy(np.nan_to_num(values)).unsqueeze(1) * frequencies
    waves = torch.cat([torch.cos(angles), torch.sin(angles)], dim=1)
    waves[lacking] = 0.0
    return (waves / math.sqrt(len(frequencies))).float()
