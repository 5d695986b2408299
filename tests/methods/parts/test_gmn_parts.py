"""GMN's topic graphs, LSTM, matching and candidates, against loops and values by hand."""

from __future__ import annotations

import gzip
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity, relu

from mmea_bench.datasets.core.errors import UserError
from mmea_bench.datasets.core.model.features import Features
from mmea_bench.datasets.core.model.graph import text_array
from mmea_bench.datasets.core.readers.word_vectors import mean_vectors
from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.inputs.word_tables import WordTable, word_table, words_of_means
from mmea_bench.methods.parts.gmn.batch_form import BatchForm
from mmea_bench.methods.parts.gmn.candidates import name_candidates, training_pairs
from mmea_bench.methods.parts.gmn.matching import Hop, Matcher, NodeEncoder
from mmea_bench.methods.parts.gmn.names import NameLSTM
from mmea_bench.methods.parts.gmn.topic_graphs import GraphBatch, TopicGraphs

CPU = torch.device("cpu")


def rng(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def random(*shape: int, seed: int = 2) -> Tensor:
    return torch.randn(shape, generator=rng(seed))


def joint_graph(triples: list[tuple[int, int]], n_source: int, n_entities: int) -> JointGraph:
    rows = np.array([(head, 0, tail) for head, tail in triples])
    return JointGraph(n_source, n_entities, 1, rows, 0, np.empty((0, 2), dtype=np.int64))


def web() -> TopicGraphs:
    """0 points to 2 (twice), 1 and itself; 1 to 2 and to 3; 2 to 0; nobody else points anywhere."""
    triples = [(0, 2), (0, 1), (1, 2), (0, 2), (2, 0), (1, 3), (0, 0)]
    return TopicGraphs(joint_graph(triples, 4, 4), 2, CPU)


def test_nodes_are_the_entity_and_its_tails_in_the_order_of_the_triples() -> None:
    graphs = web()
    batch = graphs.batch(torch.tensor([0, 3, 1]))
    assert batch.entities.tolist() == [0, 2, 1, 3, 1, 2, 3]
    assert batch.counts.tolist() == [3, 1, 3]
    assert batch.graph_of.tolist() == [0, 0, 0, 1, 2, 2, 2]


def test_neighbours_are_the_first_listed_triples_inside_of_the_topic_graph() -> None:
    batch = web().batch(torch.tensor([0, 3, 1]))
    none = 7
    # Rows 0, 1, 2 are entities 0, 2, 1; 3 is entity 3 alone; 4, 5, 6 are 1, 2, 3.
    assert batch.forward.tolist() == [
        [1, 2],  # 0 -> 2, 0 -> 1; the third edge, to itself, is not sampled
        [0, none],  # 2 -> 0
        [1, none],  # 1 -> 2; 1 -> 3 leaves the topic graph
        [none, none],
        [5, 6],  # 1 -> 2, 1 -> 3
        [none, none],  # 2 -> 0 leaves the topic graph of 1
        [none, none],
    ]
    assert batch.backward[:3].tolist() == [[1, 0], [0, 2], [0, none]]


def test_a_graph_is_the_same_wherever_it_stands_in_a_batch() -> None:
    graphs = web()
    alone, second = graphs.batch(torch.tensor([1])), graphs.batch(torch.tensor([0, 1]))
    moved = torch.where(alone.forward == 3, 6, alone.forward + 3)
    assert torch.equal(second.forward[3:], moved)
    assert torch.equal(second.places[3:], alone.places)


def test_a_hop_averages_over_all_sampled_places() -> None:
    hop, rows = Hop(3, 2, rng()), random(4, 3)
    sampled = torch.tensor([[1, 2], [0, 4], [4, 4], [3, 0]])  # 4 is nobody
    means = torch.stack(
        [(rows[1] + rows[2]) / 2, rows[0] / 2, torch.zeros(3), (rows[3] + rows[0]) / 2]
    )
    expected = relu(torch.cat([rows @ hop.own, means @ hop.neighbours], dim=1) + hop.bias)
    torch.testing.assert_close(hop(rows, sampled), expected)


def test_nodes_take_names_from_shared_rows() -> None:
    encoder, names = NodeEncoder(3, 2, rng()), random(4, 3)
    batch = web().batch(torch.tensor([0, 1]))
    shared = encoder(names, batch.entities, batch)
    everyone = names[batch.entities]
    sides = [encoder.forwards(everyone, batch.forward), encoder.backwards(everyone, batch.backward)]
    torch.testing.assert_close(shared, torch.cat(sides, dim=1))


def test_the_lstm_reads_word_by_word() -> None:
    words = word_table(["a b", "", "b", "c"], "", 3, RunContext(rng_seed=1))
    lstm = NameLSTM(words, torch.tensor([0]), 2, rng())
    with torch.no_grad():
        lstm.bias.copy_(torch.linspace(-1, 1, 8))

    def output(rows: list[int]) -> Tensor:
        state, cell = torch.zeros(2), torch.zeros(2)
        for row in rows:
            gates = torch.cat([lstm.table[row], state]) @ lstm.kernel + lstm.bias
            new, candidate, forget, shown = gates.split(2)
            cell = cell * (forget + 1).sigmoid() + new.sigmoid() * candidate.tanh()
            state = shown.sigmoid() * cell.tanh()
        return state

    found = lstm(torch.tensor([2, 0, 1, 3, 0]))
    expected = [output(rows) for rows in ([2], [1, 2], [0], [3], [1, 2])]  # 0 is **UNK**
    torch.testing.assert_close(found, torch.stack(expected))


def test_words_without_a_vector_have_one_where_training_graphs_name_them(tmp_path: Path) -> None:
    file = tmp_path / "glove.txt.gz"
    with gzip.open(file, "wt") as stream:
        stream.write("a 1 2\nz 5 5\n")
    words = word_table(["A", "b a", "c"], str(file), 300, RunContext(rng_seed=1))
    assert words.known.tolist() == [True, False, False]
    assert words.values[0].tolist() == [1, 2]
    lstm = NameLSTM(words, torch.tensor([1]), 2, rng())
    assert lstm.table.shape == (3, 2)  # **UNK**, a, b; c is unknown
    assert lstm.table[1].tolist() == [1, 2]
    torch.testing.assert_close(lstm(torch.tensor([2])), lstm_of_unknown(lstm))


def test_only_words_that_have_no_vector_set_the_bound_of_those_that_start_at_random() -> None:
    values = np.full((52, 2), 9.0, dtype=np.float32)
    known = np.array([False] * 2 + [True] * 50)
    words = WordTable(values, known, np.array([0, 1, 52]), np.arange(52))
    lstm = NameLSTM(words, torch.tensor([0]), 2, rng())  # the second word is read as **UNK**
    drawn = (torch.rand(52, 2, generator=rng()) * 2 - 1) * (6 / (2 + 2)) ** 0.5
    torch.testing.assert_close(lstm.table[:2], drawn[:2])  # **UNK** and the first word
    assert bool((lstm.table[2:] == 9).all())


def lstm_of_unknown(lstm: NameLSTM) -> Tensor:
    gates = lstm.table[:1] @ lstm.kernel[:2] + lstm.bias
    new, candidate, _, shown = gates.chunk(4, dim=1)
    return shown.sigmoid() * (new.sigmoid() * candidate.tanh()).tanh()


def test_a_file_that_is_not_there_is_said() -> None:
    with pytest.raises(UserError, match="is not there"):
        word_table(["a"], "no/such/file.txt", 3, RunContext(rng_seed=1))


VECTORS = {"a": [1.0, 2.0], "b": [-3.0, 0.5], "c": [0.25, -4.0], "d": [7.0, 7.0], "e": [0.5, 0.5]}


def means_of(texts: list[str]) -> Features:
    table = {word: np.array(vector, dtype=np.float32) for word, vector in VECTORS.items()}
    return mean_vectors(text_array(texts), table)


def test_words_are_told_from_the_means_of_names() -> None:
    # c is told once b is, and a counts twice; d and e stand nowhere but together; none has x.
    texts = ["b c", "a b", "A", "a a c", "d e", "x", "a x b", "x y", "a z"]
    found = words_of_means([text.lower().split() for text in texts], means_of(texts))
    assert set(found) == {"a", "b", "c"}
    for word, vector in found.items():
        np.testing.assert_allclose(vector, VECTORS[word], rtol=1e-5)


def test_the_words_of_a_table_have_the_vectors_that_means_tell() -> None:
    ctx, texts = RunContext(rng_seed=1), ["A b", "b", "d e"]
    words = word_table(texts, "", 300, ctx, means_of(texts))
    assert words.known.tolist() == [True, True, False, False]
    np.testing.assert_allclose(words.values[:2], [VECTORS["a"], VECTORS["b"]], rtol=1e-5)
    said = "word vectors of 2 dimensions stand in for those of 300"
    assert ctx.log.simulated == {"word_vectors": said}


def test_words_are_hashed_where_the_means_tell_of_none() -> None:
    ctx, texts = RunContext(rng_seed=1), ["d e"]
    words = word_table(texts, "", 3, ctx, means_of(texts))
    assert words.known.all()
    assert words.values.shape == (2, 3)
    assert "hashed" in ctx.log.simulated["word_vectors"]


def matched_by_loops(matcher: Matcher, own: Tensor, other: Tensor) -> Tensor:
    rows = []
    for x in own:
        largest, mean = [], []
        for weight in (torch.ones(len(x)), *matcher.cosines):
            cosines = torch.stack([cosine_similarity(weight * x, weight * y, dim=0) for y in other])
            largest.append(cosines.max())
            mean.append(cosines.mean())
        best = torch.stack([cosine_similarity(x, y, dim=0) for y in other]).argmax()
        weights = (torch.ones(len(x)), *matcher.products)
        products = [torch.tanh((weight * x) @ other[best]) for weight in weights]
        rows.append(torch.stack([*largest, *mean, *products]))
    return torch.stack(rows)


def test_nodes_are_matched_within_their_pair() -> None:
    graphs, matcher = web(), Matcher(2, 3, 5, rng())
    batches = graphs.batch(torch.tensor([0, 3])), graphs.batch(torch.tensor([1, 0]))
    nodes = random(4, 8), random(6, 8, seed=3)
    found = matcher.matched(nodes, batches)
    first, second = (nodes[0][:3], nodes[1][:3]), (nodes[0][3:], nodes[1][3:])
    for side in (0, 1):
        expected = [
            matched_by_loops(matcher, pair[side], pair[1 - side]) for pair in (first, second)
        ]
        torch.testing.assert_close(found[side], torch.cat(expected))


FORMS = [BatchForm(*each) for each in product(("masked", "padded"), ("own", "displaced"))]


def matcher_with_biases(form: BatchForm) -> Matcher:
    """Biases start at zero, where padding positions would never have anything but zeros."""
    matcher = Matcher(2, 3, 5, rng(), form)
    with torch.no_grad():
        for seed, hop in enumerate((*matcher.forwards, *matcher.backwards)):
            hop.bias.copy_(random(4, seed=seed) + 0.5)
    return matcher


def web_scores(matcher: Matcher, pairs: list[tuple[int, int]]) -> Tensor:
    graphs = web()
    vectors = random(graphs.n_nodes, 8)
    source, target = (graphs.batch(ids) for ids in torch.tensor(pairs).T)
    return matcher((vectors[source.places], vectors[target.places]), (source, target))


@pytest.mark.parametrize("form", FORMS)
def test_a_pair_scores_alike_whoever_stands_beside_it_unless_as_released(form: BatchForm) -> None:
    matcher = matcher_with_biases(form)
    alone = web_scores(matcher, [(3, 2)])
    together = web_scores(matcher, [(0, 1), (3, 2), (1, 0)])[1:2]
    assert form.is_independent == (form == BatchForm())
    assert torch.allclose(together, alone) == form.is_independent
    if form.second_hop == "own":  # only the largest graph of the others counts
        smaller = web_scores(matcher, [(0, 1), (3, 2), (2, 3)])[:1]
        torch.testing.assert_close(smaller, web_scores(matcher, [(0, 1)]))


def blocks(rows: Tensor, batch: GraphBatch) -> Tensor:
    """Rows of each graph, with zeros up to the largest graph, [n_graphs, length, d]."""
    counts = batch.counts.tolist()
    full = torch.zeros(len(counts), max(counts), rows.shape[1])
    for graph, part in enumerate(torch.split(rows, counts)):
        full[graph, : len(part)] = part
    return full


def matched_over_padding(
    matcher: Matcher, own: Tensor, other: Tensor, sizes: tuple[int, int], padded: bool
) -> Tensor:
    """What each position of a graph finds in another one, zeros at positions of padding."""
    found, weights = torch.zeros(len(own), 12), (torch.ones(8), *matcher.cosines)
    n_met = len(other) if padded else sizes[1]
    for place in range(sizes[0]):
        cosines = torch.zeros(4, n_met)
        for (row, weight), at in product(enumerate(weights), range(sizes[1])):
            cosines[row, at] = cosine_similarity(weight * own[place], weight * other[at], dim=0)
        plain = cosines[0, : sizes[1]]  # padding is no candidate of the plain maximum
        best = own[place] * other[plain.argmax()]
        products = [torch.tanh((weight * best).sum()) for weight in (1, *matcher.products)]
        largest = torch.cat([plain.max().unsqueeze(0), cosines[1:].amax(dim=1)])
        found[place] = torch.cat([largest, cosines.mean(dim=1), torch.stack(products)])
    return found


def spread_over_padding(
    hops: list[Hop], found: Tensor, batch: GraphBatch, sampled: Tensor, form: BatchForm
) -> Tensor:
    """Both hops, position by position, with the tables in which each looks up its neighbours."""
    places = [(g, at) for g, count in enumerate(batch.counts.tolist()) for at in range(count)]
    none, rows = len(places), found
    lists = {place: sampled[row].tolist() for row, place in enumerate(places)}
    for number, hop in enumerate(hops):
        zeros = torch.zeros(1, rows.shape[2])
        table = torch.cat([torch.stack([rows[place] for place in places]), zeros])
        if number == 1 and form.second_hop == "displaced":
            table = torch.cat([rows.flatten(0, 1), zeros])
        after = torch.zeros(*rows.shape[:2], 4)
        for place in product(range(rows.shape[0]), range(rows.shape[1])):
            near = table[lists.get(place, [none, none])].mean(dim=0)
            both = torch.cat([rows[place] @ hop.own, near @ hop.neighbours])
            after[place] = relu(both + hop.bias)
        rows = after
    return rows


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "pairs",
    [[(0, 1), (3, 2), (2, 3), (1, 0)], [(3, 0), (2, 2)], [(0, 1), (1, 0)]],
    ids=["mixed", "largest last", "equal sizes"],
)
def test_batches_are_what_blocks_filled_up_with_zeros_give(
    form: BatchForm, pairs: list[tuple[int, int]]
) -> None:
    graphs, matcher, padded = web(), matcher_with_biases(form), form.pooling == "padded"
    vectors = random(graphs.n_nodes, 8)
    batches = [graphs.batch(ids) for ids in torch.tensor(pairs).T]
    nodes = [blocks(vectors[batch.places], batch) for batch in batches]
    sizes = [batch.counts.tolist() for batch in batches]
    parts = []
    for one, other in ((0, 1), (1, 0)):
        ends = zip(nodes[one], nodes[other], sizes[one], sizes[other], strict=True)
        found = torch.stack(
            [matched_over_padding(matcher, own, met, (n, m), padded) for own, met, n, m in ends]
        )
        batch = batches[one]
        ahead = spread_over_padding([*matcher.forwards], found, batch, batch.forward, form)
        behind = spread_over_padding([*matcher.backwards], found, batch, batch.backward, form)
        spread = torch.cat([ahead, behind], dim=2)
        kept = [rows if padded else rows[:n] for rows, n in zip(spread, sizes[one], strict=True)]
        parts.append(torch.stack([rows.amax(dim=0) for rows in kept]))
        parts.append(torch.stack([rows.mean(dim=0) for rows in kept]))
    hidden = torch.tanh(torch.cat(parts, dim=1) @ matcher.hidden + matcher.hidden_bias)
    expected = hidden @ matcher.output + matcher.output_bias
    torch.testing.assert_close(web_scores(matcher, pairs), expected)


def test_padding_is_met_with_a_cosine_of_zero_but_never_in_the_plain_maximum() -> None:
    graphs, matcher = web(), Matcher(2, 3, 5, rng(), BatchForm("padded"))
    batches = graphs.batch(torch.tensor([3, 3])), graphs.batch(torch.tensor([3, 2]))
    ones = torch.ones(3, 8)
    found, _ = matcher.matched((ones[:2], -ones), batches)
    # Largest, then mean cosines: of one node and one padding position, and of two nodes.
    assert found[:, :8].tolist() == pytest.approx(
        np.array([[-1, 0, 0, 0] + [-0.5] * 4, [-1] * 8]), abs=1e-6
    )


def test_positions_of_padding_have_what_two_hops_make_of_the_biases() -> None:
    form = BatchForm("padded")
    matcher, batch = matcher_with_biases(form), web().batch(torch.tensor([3, 2]))
    hops = [*matcher.forwards]
    rows, neighbours = form.inputs(random(3, 12), batch.forward, batch.counts)
    for hop, listed in zip(hops, neighbours, strict=True):
        rows = hop(rows, listed)
    own = relu(hops[0].bias) @ hops[1].own
    torch.testing.assert_close(rows[3], relu(torch.cat([own, torch.zeros(2)]) + hops[1].bias))


def test_the_second_hop_takes_numbers_of_nodes_for_padded_positions() -> None:
    form = BatchForm(second_hop="displaced")
    sampled = torch.tensor([[6], [2], [0], [3], [5], [4]])  # graphs of 3, 1 and 2 nodes
    _, (first, second) = form.inputs(random(6, 2), sampled, torch.tensor([3, 1, 2]))
    padding, none = 6, 7
    assert first.flatten().tolist() == [none, 2, 0, 3, 5, 4, none]
    # Positions: 0, 1, 2 | 3, padding, padding | 4, 5, padding.
    assert second.flatten().tolist() == [4, 2, 0, 3, padding, padding, 4]
    sampled = torch.tensor([[4], [3], [2], [1]])
    _, (_, second) = form.inputs(random(4, 2), sampled, torch.tensor([2, 2]))
    assert second.flatten().tolist() == [5, 3, 2, 1, 5]  # nobody is padded: no neighbour is none


def test_graph_vectors_are_the_maximum_and_mean_of_two_hops_in_both_directions() -> None:
    graphs, matcher = web(), Matcher(2, 3, 5, rng())
    batches = graphs.batch(torch.tensor([0])), graphs.batch(torch.tensor([1]))
    nodes = random(3, 8), random(3, 8, seed=3)
    parts = []
    for found, batch in zip(matcher.matched(nodes, batches), batches, strict=True):
        ahead = matcher.forwards[1](matcher.forwards[0](found, batch.forward), batch.forward)
        behind = matcher.backwards[1](matcher.backwards[0](found, batch.backward), batch.backward)
        spread = torch.cat([ahead, behind], dim=1)
        parts += [spread.max(dim=0).values, spread.mean(dim=0)]
    hidden = torch.tanh(torch.cat(parts) @ matcher.hidden + matcher.hidden_bias)
    expected = hidden @ matcher.output + matcher.output_bias
    torch.testing.assert_close(matcher(nodes, batches)[0], expected)


def unit_circle(*degrees: float) -> Tensor:
    angles = torch.deg2rad(torch.tensor(degrees))
    return torch.stack([angles.cos(), angles.sin()], dim=1)


def test_candidates_have_the_most_similar_names_and_a_name() -> None:
    names = torch.cat([unit_circle(0, 0), unit_circle(50, 10, 0, 90)])
    names[1] = 0  # a source without a name
    names[4] = 0  # the third target has none
    listed, cosines = name_candidates(names, torch.tensor([0, 1]), 2, 3)
    assert listed.tolist() == [[True, True, False, True], [False] * 4]
    assert float(cosines[0, 1]) == pytest.approx(
        float(torch.cos(torch.deg2rad(torch.tensor(10.0))))
    )


def test_negatives_are_the_nearest_names_beside_the_partner() -> None:
    names = torch.cat([unit_circle(0, 90), unit_circle(5, 10, 80, 40)])
    pairs, labels = training_pairs(names, torch.tensor([[0, 2], [1, 2]]), 2, 2)
    assert labels.tolist() == [1, 1, 0, 0, 0, 0]
    assert pairs.tolist() == [[0, 2], [1, 2], [0, 3], [0, 5], [1, 4], [1, 5]]
