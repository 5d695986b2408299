"""Structure vectors of N-MMKG nodes, aggregated along modality meta-paths (CrossEA).

A meta-path is a start modality and the modality of each hop. A path is written as the tuple of all
its modalities, such as ``("text", "image", "text")``; its prefixes name the sets of its hops, and
paths with a common prefix share them.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from scipy.sparse import csr_array, vstack
from torch import Tensor, nn

from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.inputs.node_sets import NodeSets
from mmea_bench.methods.core.layers.sparse import SparsePattern

Path = tuple[str, ...]

_BLOCK_ROWS = 1024
"""Start nodes whose whole sets are held at once; hubs make them thousands of times larger than
what is kept of them."""


def sampled_hop_sets(
    graph: JointGraph, nodes: NodeSets, caps: tuple[int, ...], generator: np.random.Generator
) -> dict[Path, csr_array]:
    """Nodes at each hop of every meta-path, ``P^{k,l}(i)``, at most ``cap`` of them.

    Relations and directions are ignored, and a node is never in its own sets. Larger sets are
    sampled uniformly. Sets of hop 2 are sampled from all that hop 1 reaches; deeper ones from what
    the sampled nodes of the hop before reach, because whole sets would cover most of a graph.

    Args:
        graph: Triples of both graphs.
        nodes: Modalities of the nodes.
        caps: Largest set of each hop; their number is the length of the paths.
        generator: Source of the samples.

    Returns:
        Prefix of a path (two modalities and more) to a boolean matrix [n_start, n_reached] over
        the nodes of its first and its last modality, in the order of ``nodes.ids``.

    Reference: Xiao et al., COLING 2025, section 4.1.
    """
    steps = _steps(graph, nodes)
    kept = {path: _sampled(sets, caps[0], generator) for path, sets in steps.items()}
    before = steps
    for cap in caps[1:]:
        before = {
            (*prefix, modality): _sampled_product(
                sets, steps[prefix[-1], modality], cap, generator, is_own=modality == prefix[0]
            )
            for prefix, sets in before.items()
            for modality in nodes.ids
        }
        kept |= before
    return kept


def hop_weights(closeness: Tensor, n_hops: int) -> Tensor:
    """Weights of the hops of a path, [n_hops]; they sum to 1.

    ``alpha (1 - alpha)^(l-1)`` for all hops but the last, which has ``(1 - alpha)^(n_hops-1)``.

    Args:
        closeness: ``alpha``, a scalar above 0.5.
        n_hops: Hops of the path.

    Reference: Xiao et al., COLING 2025, equation 4.
    """
    powers = (1 - closeness) ** torch.arange(n_hops, device=closeness.device)
    return torch.cat([closeness * powers[:-1], powers[-1:]])


class MetaPathAttention(nn.Module):
    """Structure vectors from the nodes along all meta-paths.

    Neighbours of a hop are averaged by their similarity to the start node (equations 1-3), hops by
    their closeness (equation 4), paths by the node's similarity to the path's mean (5-8). Empty
    hops are left out; a node without any path keeps its own vector.

    Args:
        patterns: Prefix of a path to its existing cells, see ``sampled_hop_sets``.
        dim: Columns of the vectors.
        shared: One (W, b) for all pairs of modalities (as printed), instead of one for each.

    Reference: Xiao et al., COLING 2025, section 4.1.
    """

    def __init__(self, patterns: Mapping[Path, SparsePattern], dim: int, *, shared: bool) -> None:
        super().__init__()
        self._patterns = patterns
        longest = max(len(path) for path in patterns)
        self.paths = [path for path in patterns if len(path) == longest]
        pairs = [path for path in patterns if len(path) == 2]
        self._pair_index: dict[Path, int] = {
            pair: 0 if shared else index for index, pair in enumerate(pairs)
        }
        n_weights = 1 if shared else len(pairs)
        self.weight = nn.Parameter(torch.eye(dim).repeat(n_weights, 1, 1))
        self.bias = nn.Parameter(torch.zeros(n_weights, dim))
        self.path_weight = nn.Parameter(torch.eye(dim))
        self.path_bias = nn.Parameter(torch.zeros(dim))
        # A path is its start and its hops; a single hop has all the weight, however close.
        has_hops = any(len(path) - 1 > 1 for path in self.paths)
        self.closeness_logits = nn.Parameter(torch.zeros(len(self.paths)), requires_grad=has_hops)
        self._reaches = {path: pattern.row_starts.diff() > 0 for path, pattern in patterns.items()}

    def forward(self, vectors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Structure vectors of all nodes.

        Args:
            vectors: Modality to the vectors of its nodes, [n_nodes of the modality, dim].

        Returns:
            The same shapes; not normalised.
        """
        keys: dict[Path, Tensor] = {
            pair: vectors[pair[1]] @ self.weight[index].T + self.bias[index]
            for pair, index in self._pair_index.items()
        }
        hops = {path: self._hop_vectors(path, vectors, keys) for path in self._patterns}
        return {start: self._over_paths(start, vectors[start], hops) for start in vectors}

    def _hop_vectors(
        self, path: Path, vectors: Mapping[str, Tensor], keys: Mapping[Path, Tensor]
    ) -> Tensor:
        """``s_i^{k,l}`` (equations 1-3), [n_start, dim]; zero where the hop is empty."""
        pattern, own = self._patterns[path], vectors[path[0]]
        if not pattern.n_edges:
            return torch.zeros_like(own)
        similarity = torch.tanh(pattern.inner_products(own, keys[path[0], path[-1]]))
        # The tangent bounds the exponents, so that no maximum has to be taken off them.
        weights = torch.exp(similarity)
        total = pattern.row_sums(weights).clamp_min(1e-12).unsqueeze(1)
        return pattern.product(weights, vectors[path[-1]]) / total

    def _over_hops(self, index: int, hops: Mapping[Path, Tensor]) -> tuple[Tensor, Tensor]:
        """``s_i^k`` (equation 4), [n_start, dim], and which nodes have the path, [n_start]."""
        path = self.paths[index]
        prefixes = [path[: length + 1] for length in range(1, len(path))]
        closeness = 0.5 + 0.5 * torch.sigmoid(self.closeness_logits[index])
        weights = hop_weights(closeness, len(prefixes))
        reaches = torch.stack([self._reaches[prefix] for prefix in prefixes])  # [n_hops, n_start]
        shares = weights.unsqueeze(1) * reaches
        shares = shares / shares.sum(dim=0).clamp_min(1e-12)
        parts = [
            share.unsqueeze(1) * hops[prefix]
            for share, prefix in zip(shares, prefixes, strict=True)
        ]
        return torch.stack(parts).sum(dim=0), reaches.any(dim=0)

    def _over_paths(self, start: str, own: Tensor, hops: Mapping[Path, Tensor]) -> Tensor:
        """``s_i`` (equations 5-8), [n_start, dim]."""
        numerator, total = torch.zeros_like(own), own.new_zeros(len(own))
        for index, path in enumerate(self.paths):
            if path[0] != start:
                continue
            vectors, has_path = self._over_hops(index, hops)
            mean = vectors.sum(dim=0) / has_path.sum().clamp_min(1)
            # p^T (W' s_i + b'), with p^T W' taken first: a vector instead of a matrix per node.
            similarity = torch.tanh(vectors @ (mean @ self.path_weight) + mean @ self.path_bias)
            weights = torch.exp(similarity) * has_path
            numerator = numerator + weights.unsqueeze(1) * vectors
            total = total + weights
        reached = total > 0
        return torch.where(
            reached.unsqueeze(1), numerator / total.clamp_min(1e-12).unsqueeze(1), own
        )


def _steps(graph: JointGraph, nodes: NodeSets) -> dict[Path, csr_array]:
    """Undirected adjacency between the nodes of each ordered pair of modalities."""
    heads, tails = graph.triples[:, 0], graph.triples[:, 2]
    proper = heads != tails
    heads, tails = heads[proper], tails[proper]
    cells = np.concatenate([heads, tails]), np.concatenate([tails, heads])
    adjacency = csr_array(
        (np.ones(len(cells[0]), dtype=bool), cells), shape=(nodes.n_nodes, nodes.n_nodes)
    )
    adjacency.sum_duplicates()
    return {
        (first, second): adjacency[nodes.ids[first]][:, nodes.ids[second]]
        for first in nodes.ids
        for second in nodes.ids
    }


def _sampled_product(
    before: csr_array, step: csr_array, cap: int, generator: np.random.Generator, *, is_own: bool
) -> csr_array:
    """Sample of what a step reaches from the sets ``before``, without the start node itself.

    Args:
        before: Sets of the hop before, [n_start, n_between].
        step: Adjacency of the hop, [n_between, n_reached].
        cap: Largest set.
        generator: Source of the sample.
        is_own: Whether the reached nodes have the start modality.
    """
    blocks = []
    for first in range(0, before.shape[0], _BLOCK_ROWS):
        reached = (before[first : first + _BLOCK_ROWS] @ step).tocoo()
        rows, columns = reached.coords
        if is_own:
            other = columns != rows + first
            rows, columns = rows[other], columns[other]
        cells = np.ones(len(rows), dtype=bool), (rows, columns)
        blocks.append(_sampled(csr_array(cells, shape=reached.shape), cap, generator))
    return csr_array(vstack(blocks)) if blocks else csr_array((0, step.shape[1]), dtype=bool)


def _sampled(matrix: csr_array, cap: int, generator: np.random.Generator) -> csr_array:
    """At most ``cap`` cells of each row, chosen uniformly."""
    sizes = np.diff(matrix.indptr)
    rows = np.repeat(np.arange(matrix.shape[0]), sizes)
    crowded = np.flatnonzero(np.repeat(sizes > cap, sizes))
    # Single-precision draws leave the row's number exact, so that sorting keeps rows apart.
    draws = rows[crowded] + generator.random(len(crowded), dtype=np.float32).astype(np.float64)
    rank = np.arange(len(crowded)) - np.searchsorted(rows[crowded], rows[crowded])
    kept = np.ones(len(rows), dtype=bool)
    kept[crowded[np.argsort(draws, kind="stable")[rank >= cap]]] = False
    cells = np.ones(int(kept.sum()), dtype=bool), (rows[kept], matrix.indices[kept])
    return csr_array(cells, shape=matrix.shape)


def sparse_pattern(matrix: csr_array, device: torch.device) -> SparsePattern:
    """The existing cells of a matrix."""
    return SparsePattern.of_csr(matrix.sorted_indices(), device)
