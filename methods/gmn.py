"""GMN: a classifier of pairs of local graphs that re-ranks the candidates found by names.

Every entity stands for its topic graph, whose nodes carry names. A pair's graphs are compared node
by node, what is found spreads along the triples, and a classifier says match or no match. There is
no vector of an entity: the method scores pairs, those that names propose.

In the released code a pair's score depends on the pairs of its batch: graphs are padded to the
largest one, and the second hop of what was matched looks up neighbours by their number in a table
of another order. Both are left out here, and are the variant ``as released``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, embedding_bag, logsigmoid, normalize

from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.datasets.core.paper import Paper
from mmea_bench.methods.core.base import Method, RunContext, Scoring, StopScore
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.inputs.names import WORDS, joint_names, name_vectors
from mmea_bench.methods.core.inputs.word_tables import WordTable, word_table
from mmea_bench.methods.core.pair_scores import PairScores
from mmea_bench.methods.core.settings import taken_from
from mmea_bench.methods.core.training.loop import Schedule, train
from mmea_bench.methods.core.training.minibatch import MiniBatchSteps, shuffled_batches
from mmea_bench.methods.core.training.optimisers import tensorflow_adam
from mmea_bench.methods.parts.gmn.batch_form import BatchForm, Pooling, SecondHop
from mmea_bench.methods.parts.gmn.candidates import (
    name_candidates,
    nearest_first,
    training_pairs,
)
from mmea_bench.methods.parts.gmn.matching import Matcher, NodeEncoder
from mmea_bench.methods.parts.gmn.names import NameLSTM
from mmea_bench.methods.parts.gmn.topic_graphs import GraphBatch, TopicGraphs

_UNLISTED, _LOWEST = -100.0, -50.0
"""Around which entities score that names do not propose, and the least of those that they do."""

_CELLS_AT_ONCE = 100_000
"""Pairs of nodes that are compared at once in scoring."""

_CHOICE_BATCH, _RESULT_BATCH = 20, 100
"""Candidates that are scored together where that matters, for the choice of the epoch and for the
result; code."""

_NAMES_AT_ONCE = 4096


@dataclass(frozen=True)
class GMNParams:
    """Hyper-parameters of GMN; defaults are those of its released code."""

    # Word vectors in GloVe's text format, plain or .gz; the paper has 300 columns. They propose the
    # candidates, too. Without a file words have the vectors that the dataset's means of names tell,
    # and random ones, which the row calls simulated, where it carries none.
    word_file: str = ""
    word_dim: int = 300  # of random vectors
    name_dim: int = 300  # of the LSTM, code
    width: int = 100  # of the graph convolutions, code
    n_perspectives: int = 10  # code
    hidden_dim: int = 800  # of the classifier, code
    n_sampled: int = 1  # neighbours that a node sees in either direction, code
    n_train_candidates: int = 20  # negatives of a seed link, code
    n_choice_candidates: int = 20  # by which the epoch is chosen, code; its README has 1000
    n_candidates: int = 1000  # code
    batch_size: int = 32  # pairs, code
    pooling: Pooling = "masked"  # code: padded, over all positions up to the largest graph
    second_hop: SecondHop = "own"  # code: displaced, where neighbours are looked up
    clip_norm: float = 1.0  # code
    epochs: int = 10  # code
    learning_rate: float = 1e-3  # Adam, code (the configured rate does not arrive)
    eval_every: int = 1  # code


class GMN(Method):
    """GMN with masked pooling, and neighbours of the second hop looked up where they stand.

    ``as released`` has neither, so that a pair's score depends on the pairs that it is scored with.
    """

    paper = Paper(
        authors="Xu, Wang, Yu, Feng, Song, Wang, Yu",
        title="Cross-lingual Knowledge Graph Alignment via Graph Matching Neural Network",
        venue="ACL",
        year=2019,
        url="https://arxiv.org/abs/1905.11605",
        code_url="https://github.com/syxu828/Crosslingula-KG-Matching",
        code_commit="56710f8",
    )
    modalities: ClassVar[tuple[str, ...]] = ("structure", "name")
    requires: ClassVar[tuple[str, ...]] = ("structure", "name")
    Params = GMNParams
    # Released code; its closed lists of candidates are no option here: all targets are ranked,
    # those that names do not propose behind the others. SelfMEA's Table 1 states no setting.
    published_scoring = Scoring(None, csls=0)
    paper_stop = "test"
    paper_stop_score = StopScore("hits@1", "src2tgt", csls=0)
    variants: ClassVar = {
        "50 candidates": {"n_candidates": 50},
        "as released": {"pooling": "padded", "second_hop": "displaced"},
    }
    waits_for_device = "the topic graphs of a batch are as large as they are, and its words as many"
    test_params: ClassVar = {
        "word_dim": 32,
        "name_dim": 32,
        "width": 16,
        "n_perspectives": 3,
        "hidden_dim": 16,
        "n_train_candidates": 4,
        "n_candidates": 60,
        "batch_size": 13,
        "epochs": 6,
        "learning_rate": 5e-3,
    }

    def fit(self, view: TrainView, ctx: RunContext) -> PairScores:
        """Trains on seed links and the negatives that names propose; scores the same way."""
        params: GMNParams = self.params
        graph = JointGraph.of(view)
        means = view.joint_features("word") if "word" in view.features else None
        words = word_table(joint_names(view), params.word_file, params.word_dim, ctx, means)
        names = summed_words(words) if params.word_file else name_vectors(view, WORDS, ctx)
        names = names.to(ctx.device)
        graphs = TopicGraphs(as_in_a_file(graph, ctx), params.n_sampled, ctx.device)
        seeds = graph.seed_pairs(view).to(ctx.device)
        pairs, labels = training_pairs(names, seeds, graph.n_source, params.n_train_candidates)
        network = GMNetwork(graphs, words, pairs, params, ctx.generator("initial values"))
        network = network.to(ctx.device)
        steps = MiniBatchSteps(
            tensorflow_adam(params.learning_rate)(network.parameters()),
            clipped=network.parameters(),
            clip_norm=params.clip_norm,
        )
        shuffles = ctx.generator("batches")

        def losses() -> Iterator[Tensor]:
            rows = torch.arange(len(pairs), device=ctx.device)
            for batch in shuffled_batches(rows, params.batch_size, shuffles):
                ctx.check_deadline()
                yield cross_entropy(network(pairs[batch]), labels[batch])

        def step(_epoch: int) -> float:
            return steps.mean_loss(losses())

        def scores(n_candidates: int, n_together: int) -> PairScores:
            return network.scores(names, graph.n_source, n_candidates, n_together)

        def choice() -> PairScores:
            return scores(params.n_choice_candidates, _CHOICE_BATCH)

        # The best epoch is known by a short list, the result stands on a long one.
        schedule = Schedule(params.epochs, None, None, params.eval_every)
        train(network.parameters(), step, choice, schedule, ctx)
        return scores(params.n_candidates, _RESULT_BATCH)


def summed_words(words: WordTable) -> Tensor:
    """L2-normalised sums of the vectors of each name's words, [n_texts, dim] float32.

    Words without a vector add nothing; a name without any other has a row of zeros.
    """
    values, starts = torch.from_numpy(words.values), torch.from_numpy(words.starts)
    listed = torch.from_numpy(words.words)
    sums = embedding_bag(listed, values, starts, mode="sum", include_last_offset=True)
    return normalize(sums, dim=1)


def as_in_a_file(graph: JointGraph, ctx: RunContext) -> JointGraph:
    """The graph with its triples in an arbitrary order, of which the first ones are sampled.

    A view sorts them, so that the neighbour by the first relation would always be the one.
    """
    order = ctx.numpy_generator("order of the file").permutation(len(graph.triples))
    return replace(graph, triples=graph.triples[order])


class GMNetwork(nn.Module):
    """Names, node vectors and matching, from pairs of entities to the classifier's output.

    Args:
        graphs: Topic graphs of all entities.
        words: Words of their names.
        pairs: Training pairs, whose graphs' words have vectors of their own, [n, 2].
        params: Hyper-parameters.
        generator: CPU generator of the initial values.
    """

    def __init__(
        self,
        graphs: TopicGraphs,
        words: WordTable,
        pairs: Tensor,
        params: GMNParams,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        trained = torch.unique(graphs.batch(torch.unique(pairs)).entities).cpu()
        self.names = NameLSTM(words, trained, params.name_dim, generator)
        self.nodes = NodeEncoder(params.name_dim, params.width, generator)
        self.form = taken_from(params, BatchForm)
        sizes = params.width, params.n_perspectives, params.hidden_dim
        self.matcher = Matcher(*sizes, generator, self.form)
        self._graphs = graphs

    def forward(self, pairs: Tensor) -> Tensor:
        """No match and match, before the softmax, [n_pairs, 2]; pairs are joint ids, [n, 2]."""
        batches = self._graphs.batch(pairs[:, 0]), self._graphs.batch(pairs[:, 1])
        both = torch.cat([batch.entities for batch in batches])
        entities, rows = torch.unique(both, return_inverse=True)
        names = self.names(entities)
        row_of = torch.split(rows, [len(batch.entities) for batch in batches])
        source, target = (
            self.nodes(names, own, batch) for own, batch in zip(row_of, batches, strict=True)
        )
        output: Tensor = self.matcher((source, target), batches)
        return output

    @torch.no_grad()
    def all_nodes(self) -> Tensor:
        """Vectors of all nodes of all topic graphs, [n_nodes, 4 width]."""
        n_entities = int(self._graphs.entities.max()) + 1
        everyone = torch.arange(n_entities, device=self._graphs.entities.device)
        names = torch.cat([self.names(part) for part in torch.split(everyone, _NAMES_AT_ONCE)])
        vectors = [
            self.nodes(names, batch.entities, batch)
            for batch in map(self._graphs.batch, torch.split(everyone, _NAMES_AT_ONCE))
        ]
        return torch.cat(vectors)

    def scores(
        self, names: Tensor, n_source: int, n_candidates: int, n_together: int
    ) -> PairScores:
        """Scores of all pairs with the present parameters.

        The logarithm of the probability of a match for candidates, at least -50; about -100, in
        the order of the names, for the others.

        Args:
            names: Vectors that propose candidates, [n_entities, dim].
            n_source: Entities of the source KG.
            n_candidates: Of each source entity.
            n_together: Candidates of one source entity that make a batch, from the nearest name
                on, where scores depend on the batch.
        """
        kept: list[Tensor] = []

        def score_block(sources: Tensor) -> Tensor:
            if not kept:  # made once it is needed: parameters may be written back before
                kept.append(self.all_nodes())
            listed, cosines = name_candidates(names, sources, n_source, n_candidates)
            found = cosines + _UNLISTED
            if self.form.is_independent:
                rows, columns = torch.nonzero(listed, as_tuple=True)
                batch = None
            else:
                rows, columns, batch = nearest_first(listed, cosines, n_together)
            pairs = torch.stack([sources[rows], columns + n_source], dim=1)
            logs = self.log_probabilities(pairs, kept[0], batch).clamp_min(_LOWEST)
            found[rows, columns] = logs.to(found.dtype)
            return found

        return PairScores(
            score_block,
            n_source,
            len(names) - n_source,
            names.device,
            "classifier",
            state=self.state_dict(),
        )

    @torch.no_grad()
    def log_probabilities(
        self, pairs: Tensor, nodes: Tensor, batch: Tensor | None = None
    ) -> Tensor:
        """Logarithm of the probability of a match, [n_pairs].

        Args:
            pairs: Joint ids, [n_pairs, 2].
            nodes: Vectors of all nodes, see ``all_nodes``.
            batch: A number that pairs of one batch share, [n_pairs], those of a batch one behind
                the other; None cuts by what fits into memory.
        """
        if batch is None:
            sizes = self._graphs.sizes(pairs[:, 0]) * self._graphs.sizes(pairs[:, 1])
            batch = torch.div(torch.cumsum(sizes, dim=0), _CELLS_AT_ONCE, rounding_mode="floor")
        found = [pairs.new_zeros(0).to(nodes)]
        for part in torch.split(
            pairs, torch.unique_consecutive(batch, return_counts=True)[1].tolist()
        ):
            batches: tuple[GraphBatch, GraphBatch] = (
                self._graphs.batch(part[:, 0]),
                self._graphs.batch(part[:, 1]),
            )
            source, target = (nodes.index_select(0, batch.places) for batch in batches)
            output = self.matcher((source, target), batches)
            found.append(logsigmoid(output[:, 1] - output[:, 0]))
        return torch.cat(found)
