"""Negatives: entities that stand in for an end of a triple or of a seed pair.

Random numbers are drawn on the CPU and moved, so that a device changes no negative; everything
else runs where the triples or vectors are.
"""

from __future__ import annotations

from typing import Literal, Protocol

import torch
from torch import Tensor

from mmea_bench.methods.core.base import Similarity
from mmea_bench.methods.core.losses.orders import largest_places
from mmea_bench.methods.core.losses.translation import CorruptedTriples
from mmea_bench.methods.core.similarity import DEFAULT_BLOCK_ROWS, ScoreMatrix
from mmea_bench.methods.core.training.triple_corruption import KnownCodes, Pools

_TRIES = 10


class Candidates(Protocol):
    """Which entities may stand in for an end of a triple."""

    def draw(self, triples: Tensor, side: Tensor, at_head: Tensor, rng: torch.Generator) -> Tensor:
        """One stand-in per triple, [n].

        Args:
            triples: (head, relation, tail) ids, [n, 3].
            side: KG of each triple, 0 the source and 1 the target, [n].
            at_head: Whether the stand-in takes the head's place, else the tail's, [n].
            rng: On the CPU.
        """


class UniformCandidates:
    """Any entity of the triple's KG.

    Args:
        members: Two groups: entities of the source KG and of the target KG.
    """

    def __init__(self, members: Pools) -> None:
        self.members = members

    @classmethod
    def of_graphs(cls, n_source: int, n_entities: int) -> UniformCandidates:
        """All entities of either KG, joint ids."""
        sizes = torch.tensor([n_source, n_entities - n_source])
        return cls(Pools(torch.arange(n_entities), sizes))

    @classmethod
    def of_triples(cls, triples: Tensor, side: Tensor) -> UniformCandidates:
        """Entities that stand in triples of either KG, swapped ones among them."""
        both = torch.cat([triples[:, 0], triples[:, 2]])
        return cls(Pools.of(torch.cat([side, side]), both, 2))

    def draw(self, triples: Tensor, side: Tensor, at_head: Tensor, rng: torch.Generator) -> Tensor:
        """One stand-in per triple, [n]; see ``Candidates``."""
        del triples, at_head
        return self.members.draw(side, 1, rng).squeeze(1)


class TypedCandidates:
    """Entities that are head (or tail) of the same relation in some triple.

    Args:
        triples: All triples, [n, 3].
        everyone: Steps in where a relation has a single such entity.
    """

    def __init__(self, triples: Tensor, everyone: Candidates) -> None:
        self._n_relations = int(triples[:, 1].max()) + 1 if len(triples) else 0
        groups = torch.cat([triples[:, 1], triples[:, 1] + self._n_relations])
        members = torch.cat([triples[:, 0], triples[:, 2]])
        self._pools, self._everyone = Pools.of(groups, members, 2 * self._n_relations), everyone

    def draw(self, triples: Tensor, side: Tensor, at_head: Tensor, rng: torch.Generator) -> Tensor:
        """One stand-in per triple, [n]; see ``Candidates``."""
        groups = triples[:, 1] + self._n_relations * ~at_head
        anyone = self._everyone.draw(triples, side, at_head, rng)
        typed = self._pools.draw(groups, 1, rng).squeeze(1)
        return torch.where(self._pools.sizes[groups] < 2, anyone, typed)


class NearestCandidates:
    """Epsilon-truncated: entities near the replaced one among those of its own KG.

    The list of an entity holds the entity itself (a stand-in that changes nothing is rejected as a
    true triple). An entity without a list, or in a triple of the other KG, where swapping brings
    it, is replaced by anyone of the triple's KG.

    Args:
        vectors: Current vectors by joint id, [n_entities, dim]; no gradient passes.
        n_source: Entities of the source KG.
        share: Of a KG's entities that a list holds, ``1 - epsilon``; 0.1 in BootEA.
        everyone: Steps in where a triple of one KG asks about an entity of the other.

    Reference: Sun et al., IJCAI 2018, section 3.3.
    """

    def __init__(
        self,
        vectors: Tensor,
        n_source: int,
        share: float,
        everyone: Candidates,
    ) -> None:
        n_entities, device = len(vectors), vectors.device
        sizes = torch.zeros(n_entities, dtype=torch.int64)
        lists, owners = [], []
        for start, stop in ((0, n_source), (n_source, n_entities)):
            ids = torch.arange(start, stop)
            size = min(len(ids), max(1, int(share * (stop - start))))
            sizes[ids] = size
            # Looked for on the vectors' device, kept where negatives are drawn: on the CPU.
            there = ids.to(device)
            near = nearest_entities(vectors, there, there, size, "inner")
            lists.append(near.int().flatten().cpu())
            owners.append(ids)
        # Owners rise, so the lists lie one behind the other in the order of the entities.
        self._pools, self._n_source, self._everyone = (
            Pools(torch.cat(lists), sizes),
            n_source,
            everyone,
        )

    def draw(self, triples: Tensor, side: Tensor, at_head: Tensor, rng: torch.Generator) -> Tensor:
        """One stand-in per triple, [n]; see ``Candidates``."""
        replaced = torch.where(at_head, triples[:, 0], triples[:, 2])
        near = self._pools.draw(replaced, 1, rng).squeeze(1).long()
        foreign = (replaced >= self._n_source).long() != side
        others = foreign.nonzero().squeeze(1)
        near[others] = self._everyone.draw(triples[others], side[others], at_head[others], rng)
        return near


class FilteredCorruption:
    """Negatives of triples that are no triples themselves.

    A stand-in that makes a known triple is drawn again, ten times from the candidates and then ten
    times from the whole KG; what is a known triple even then is kept. BootEA has ``one coin`` and
    distinct stand-ins, MuGNN ``both``.

    Args:
        triples: (head, relation, tail) ids, [n, 3]; also what is known to be true.
        side: KG of each triple, 0 the source and 1 the target, [n].
        n_entities: Ids below are entities.
        everyone: All entities of a triple's KG.
        candidates: Where stand-ins come from; None is ``everyone``. May be replaced between draws.
        head_share: Probability that the head is replaced, by relation, [n_relations]; None is a
            fair coin. See ``bernoulli_head_share``.
        ends: ``coin`` tosses one for every negative, ``one coin`` one for all of a triple;
            ``both`` gives either end as many negatives as are asked for, heads first.
        distinct: Whether a stand-in that repeats one of the same end is drawn again as well.
    """

    def __init__(  # noqa: PLR0913 - the choices in which published samplers differ
        self,
        triples: Tensor,
        side: Tensor,
        n_entities: int,
        everyone: UniformCandidates,
        candidates: Candidates | None = None,
        *,
        head_share: Tensor | None = None,
        ends: Literal["coin", "one coin", "both"] = "coin",
        distinct: bool = False,
    ) -> None:
        self.triples, self.candidates = triples, candidates or everyone
        self._side, self._everyone = side.long(), everyone
        self._head_share, self._ends, self._distinct = head_share, ends, distinct
        self._n_entities = n_entities
        self._n_relations = int(triples[:, 1].max()) + 1 if len(triples) else 0
        self._known = KnownCodes(self._codes(triples))

    def draw(self, n_negatives: int, generator: torch.Generator) -> CorruptedTriples:
        """All triples with that many negatives each, drawn with replacement.

        Args:
            n_negatives: Of each triple; of each end of it where ``ends`` is ``both``.
            generator: On the CPU.
        """
        at_head = self._coins(n_negatives, generator)
        flat_at_head = at_head.flatten()
        stand_ins = torch.zeros_like(flat_at_head, dtype=torch.int64)
        pending = torch.arange(len(stand_ins), device=stand_ins.device)
        for attempt in range(2 * _TRIES):
            if not len(pending):
                break
            candidates = self.candidates if attempt < _TRIES else self._everyone
            owners = torch.div(pending, at_head.shape[1], rounding_mode="floor")
            triples, heads = self.triples[owners], flat_at_head[pending]
            drawn = candidates.draw(triples, self._side[owners], heads, generator)
            stand_ins[pending] = drawn
            negatives = CorruptedTriples(triples, drawn.unsqueeze(1), heads.unsqueeze(1))
            codes = self._codes(negatives.negatives().squeeze(1))
            refused = pending[self._known.holds(codes)]
            if self._distinct:
                repeated = self._repeats(stand_ins.view(at_head.shape), at_head, owners)
                refused = torch.unique(torch.cat([refused, repeated]))
            pending = refused
        return CorruptedTriples(self.triples, stand_ins.view(at_head.shape), at_head)

    def _coins(self, n_negatives: int, generator: torch.Generator) -> Tensor:
        if self._ends == "both":
            heads = torch.arange(2 * n_negatives, device=self.triples.device) < n_negatives
            return heads.expand(len(self.triples), -1).contiguous()
        shape = (len(self.triples), 1 if self._ends == "one coin" else n_negatives)
        shares = torch.rand(shape, generator=generator).to(self.triples.device)
        if self._head_share is None:
            at_head = shares < 0.5
        else:
            limits = self._head_share.to(shares)[self.triples[:, 1]]
            at_head = shares < limits.unsqueeze(1)
        return at_head.expand(-1, n_negatives).contiguous()

    def _repeats(self, stand_ins: Tensor, at_head: Tensor, owners: Tensor) -> Tensor:
        """Flat places of stand-ins that repeat one before them at the same end of a triple.

        Only rows that hold a new stand-in are looked at: no other can have come to repeat one.

        Args:
            stand_ins: [n, k].
            at_head: [n, k].
            owners: Rows of new stand-ins, sorted.
        """
        rows = torch.unique_consecutive(owners)
        codes = at_head[rows] * self._n_entities + stand_ins[rows]
        ordered, order = torch.sort(codes, dim=1, stable=True)
        row, place = torch.nonzero(ordered[:, 1:] == ordered[:, :-1], as_tuple=True)
        repeats: Tensor = rows[row] * at_head.shape[1] + order[row, place + 1]
        return repeats

    def _codes(self, triples: Tensor) -> Tensor:
        heads, relations, tails = triples.unbind(1)
        return (heads * self._n_relations + relations) * self._n_entities + tails


def bernoulli_head_share(triples: Tensor, n_relations: int) -> Tensor:
    """Probability of replacing the head, ``tph / (tph + hpt)`` of each relation, [n_relations].

    With ``tph`` the mean number of tails of a head and ``hpt`` of heads of a tail. Both share the
    number of triples, so that this is the share of distinct tails among both distinct ends.

    Args:
        triples: (head, relation, tail) ids, [n, 3].
        n_relations: Relations without triples get one half.

    Reference: Wang et al. (TransH), AAAI 2014, section 3.3.
    """
    counts = []
    for column in (0, 2):
        distinct = torch.unique(triples[:, [1, column]], dim=0)[:, 0]
        counts.append(torch.bincount(distinct, minlength=n_relations).float())
    heads, tails = counts
    return torch.where(heads + tails > 0, tails / (heads + tails).clamp_min(1), 0.5)


def nearest_entities(
    vectors: Tensor,
    queries: Tensor,
    among: Tensor,
    k: int,
    similarity: Similarity = "inner",
    skipped: Tensor | None = None,
) -> Tensor:
    """Nearest entities of some entities, in blocks of rows, [n_queries, <= k] int64.

    Args:
        vectors: [n_entities, dim]; no gradient passes.
        queries: Entities whose neighbours are wanted, [n_queries].
        among: Entities that may be neighbours, [n_among], without repetition.
        k: Neighbours wanted; all of ``among`` where they are fewer.
        similarity: How vectors are compared.
        skipped: For each query an entity that is not to be among its neighbours, [n_queries].

    Returns:
        Ids, in no particular order.
    """
    vectors = vectors.detach()
    queries, among = queries.to(vectors.device), among.to(vectors.device)
    place = torch.full((len(vectors),), -1, device=vectors.device)
    place[among] = torch.arange(len(among), device=vectors.device)
    taken = min(k, len(among) - (skipped is not None))
    found = [torch.empty(0, taken, dtype=torch.int64, device=vectors.device)]
    matrix = ScoreMatrix(vectors[queries], vectors[among], similarity, DEFAULT_BLOCK_ROWS)
    for block in matrix:
        scores = block.scores
        if skipped is not None:
            columns = place[skipped[block.start : block.stop].to(vectors.device)]
            cells = columns.clamp_min(0).unsqueeze(1)
            kept = scores.gather(1, cells).masked_fill_(columns.unsqueeze(1) >= 0, -torch.inf)
            scores.scatter_(1, cells, kept)
        found.append(among[largest_places(scores, taken)])
    return torch.cat(found)


def nearest_pair_negatives(
    vectors: Tensor,
    pairs: Tensor,
    among: tuple[Tensor, Tensor],
    k: int,
    similarity: Similarity = "euclidean",
    *,
    near_partner: bool,
    skip_partner: bool,
) -> Tensor:
    """Hard stand-ins for the targets and for the sources of pairs, [2, n_pairs, k] ids.

    Args:
        vectors: [n_entities, dim]; no gradient passes.
        pairs: (source, target) ids, [n_pairs, 2].
        among: Entities that may stand in for targets and for sources: of one KG, of both, or the
            seed entities alone.
        k: Stand-ins of each end.
        similarity: How vectors are compared.
        near_partner: Whether stand-ins for a target are near the target itself (KECG, AttrGNN),
            else near the source that it is compared with (RDGCN, which skips nobody).
        skip_partner: Whether an entity cannot stand in for itself.

    Returns:
        As many as the smaller of ``among`` has to give, at most ``k``.
    """
    pairs = pairs.to(vectors.device)
    sides = []
    for side, candidates in zip((1, 0), among, strict=True):
        queries = pairs[:, side if near_partner else 1 - side]
        skipped = pairs[:, side] if skip_partner else None
        sides.append(nearest_entities(vectors, queries, candidates, k, similarity, skipped))
    width = min(side.shape[1] for side in sides)
    return torch.stack([side[:, :width] for side in sides])


def random_pair_negatives(
    n_pairs: int, among: tuple[Tensor, Tensor], k: int, generator: torch.Generator
) -> Tensor:
    """Uniform stand-ins for the targets and for the sources of pairs, [2, n_pairs, k] ids.

    Args:
        n_pairs: Pairs.
        among: Entities that may stand in for targets and for sources.
        k: Stand-ins of each end, drawn with replacement.
        generator: On the CPU.
    """
    sides = [
        candidates[torch.randint(len(candidates), (n_pairs, k), generator=generator)]
        for candidates in among
    ]
    return torch.stack(sides)


def drawn_of(lists: Tensor, k: int, generator: torch.Generator) -> Tensor:
    """Random members of every list, with replacement, [..., m] to [..., k].

    AliNet draws ten stand-ins from the 1499 nearest entities.

    Args:
        lists: Ids, [..., m].
        k: Members wanted.
        generator: On the CPU.
    """
    shape = (*lists.shape[:-1], k)
    columns = torch.randint(lists.shape[-1], shape, generator=generator).to(lists.device)
    return lists.gather(-1, columns)
