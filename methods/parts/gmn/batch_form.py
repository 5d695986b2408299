"""What the graphs of a batch do to each other in GMN's released code, and how to leave it out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from mmea_bench.methods.parts.gmn.ragged import group_max, group_mean
from mmea_bench.methods.parts.gmn.topic_graphs import GraphBatch

Pooling = Literal["masked", "padded"]
SecondHop = Literal["own", "displaced"]


@dataclass(frozen=True)
class BatchForm:
    """How a pair's score depends on the pairs beside it in a batch; by default it does not.

    The released code fills up the graphs of a batch, on each side of the pairs, to the size of the
    largest one there. Padding positions come last. They have no name and no neighbours, so that
    their cosines, and all that matching finds for them, are 0, and two hops leave in each of them
    what the biases alone give: ``ReLU(b)`` after the first one, ``ReLU([ReLU(b) W_s || 0] + b')``
    after the second. Here all of them are one row behind the nodes.

    Attributes:
        pooling: ``masked`` leaves padding out. ``padded`` lets it into maxima and means, of graphs
            as of cosines, apart from the largest plain cosine, which the released code masks.
        second_hop: Where the second hop of what was matched looks up neighbours: in their ``own``
            rows, or ``displaced``, by their number among the nodes of the batch in a table that
            counts padding positions too. From the second graph on these are others, and where
            there is no neighbour a position is found all the same, unless no graph is padded.
    """

    pooling: Pooling = "masked"
    second_hop: SecondHop = "own"

    @property
    def is_independent(self) -> bool:
        """Whether a pair scores alike in every batch."""
        return self.pooling == "masked" and self.second_hop == "own"

    def met(self, largest: Tensor, n_met: Tensor, others: GraphBatch) -> tuple[Tensor, Tensor]:
        """Largest cosines of nodes, and over how many positions the mean of their cosines runs.

        Args:
            largest: Over the nodes of the other graph, plain and under each perspective,
                [n_nodes, 1 + n_perspectives].
            n_met: Nodes of the other graph, [n_nodes].
            others: The graphs of the other side.
        """
        if self.pooling == "masked":
            return largest, n_met
        length = others.counts.max()
        has_padding = (n_met < length).unsqueeze(1)
        # Changes nothing where node vectors are outputs of a ReLU, whose cosines are never below 0.
        plain, weighed = largest[:, :1], largest[:, 1:]
        weighed = torch.where(has_padding, weighed.clamp_min(0), weighed)
        return torch.cat([plain, weighed], dim=1), length.expand_as(n_met)

    def inputs(
        self, found: Tensor, sampled: Tensor, counts: Tensor
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Rows that two hops spread, and the rows of their neighbours in the first and second hop.

        Args:
            found: Of each node, [n_nodes, d].
            sampled: Rows of each node's neighbours, [n_nodes, s]; ``n_nodes`` for none.
            counts: Nodes of each graph, [n_graphs].

        Returns:
            [n_rows, d] and twice [n_rows, s], ``n_rows`` for none; the last row is that of padding
            positions unless the form is independent.
        """
        if self.is_independent:
            return found, (sampled, sampled)
        n_nodes = len(found)
        rows = torch.cat([found, found.new_zeros(1, found.shape[1])])
        sampled = torch.cat([sampled, sampled.new_full((1, sampled.shape[1]), n_nodes)])
        own = torch.where(sampled == n_nodes, n_nodes + 1, sampled)
        return rows, (own, own if self.second_hop == "own" else _displaced(sampled, counts))

    def pooled(self, spread: Tensor, batch: GraphBatch) -> tuple[Tensor, Tensor]:
        """Maximum and mean of each graph, [n_graphs, d] each.

        Args:
            spread: Of the rows that ``inputs`` gave, [n_rows, d].
            batch: The graphs.
        """
        n_nodes, counts = len(batch.graph_of), batch.counts
        nodes, padding = spread[:n_nodes], spread[n_nodes:]
        largest = group_max(nodes, batch.graph_of, len(counts))
        if self.pooling == "masked":
            return largest, group_mean(nodes, batch.graph_of, counts)
        length = counts.max()
        n_padding = (length - counts).unsqueeze(1)
        largest = torch.where(n_padding > 0, torch.maximum(largest, padding), largest)
        mean = group_mean(nodes, batch.graph_of, length.expand_as(counts))
        return largest, mean + padding * (n_padding / length)


INDEPENDENT = BatchForm()


def _displaced(sampled: Tensor, counts: Tensor) -> Tensor:
    """Rows at the padded positions that have the numbers of sampled nodes, [n_rows, s].

    Args:
        sampled: Rows of neighbours, [n_rows, s]; the sum of ``counts`` for none.
        counts: Nodes of each graph, [n_graphs].
    """
    length, n_graphs = counts.max(), len(counts)
    graph = torch.div(sampled, length, rounding_mode="floor")
    within = sampled - graph * length
    at = graph.clamp_max(n_graphs - 1)
    padding = counts.sum()
    rows = torch.where(
        within < counts[at], (torch.cumsum(counts, dim=0) - counts)[at] + within, padding
    )
    # Behind the last position lies the row of zeros, which is met only if no graph is padded.
    return torch.where(graph == n_graphs, padding + 1, rows)
