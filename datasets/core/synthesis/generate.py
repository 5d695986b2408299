"""Puts world, triples, attributes, names and images together into a dataset."""

from __future__ import annotations

import numpy as np

from mmea_bench.datasets.core.model.canonical import canonical
from mmea_bench.datasets.core.model.graph import Ids, KnowledgeGraph, Text, text_array
from mmea_bench.datasets.core.model.pair import KGPair
from mmea_bench.datasets.core.synthesis.edges import build_edges
from mmea_bench.datasets.core.synthesis.facts import build_facts
from mmea_bench.datasets.core.synthesis.looks import build_looks
from mmea_bench.datasets.core.synthesis.names import build_names
from mmea_bench.datasets.core.synthesis.settings import SyntheticOptions, sizes_of
from mmea_bench.datasets.core.synthesis.world import build_world, draw_members

GRAPH_NAMES = ("Source", "Target")
BLOCK_ROWS = 1 << 18


def generate_pair(address: str, options: SyntheticOptions, block_rows: int = BLOCK_ROWS) -> KGPair:
    """The synthetic dataset of these options in canonical order.

    Args:
        address: Name of the dataset.
        options: Size, seed and difficulty.
        block_rows: Rows generated at a time; bounds the memory, changes nothing else.
    """
    sizes = sizes_of(options)
    world = build_world(options.seed, sizes)
    source, target, links = draw_members(options.seed, sizes)
    members = (source, target)
    edges = build_edges(options, sizes, world, members, links, block_rows)
    facts = build_facts(options, sizes, world, members, links, block_rows)
    looks = build_looks(options, sizes, world, members, block_rows)
    names: tuple[Text, Text]
    if options.text:
        names = build_names(options, len(world.types), members, block_rows)
    else:
        names = (_no_names(sizes.entities[0]), _no_names(sizes.entities[1]))
    graphs = [_graph(GRAPH_NAMES[side], edges[side], facts[side], names[side]) for side in range(2)]
    del edges, facts, names
    return canonical(
        KGPair(address, graphs[0], graphs[1], links.astype(np.int32), {"image": looks}, version="-")
    )


def _graph(name: str, triples: Ids, facts: tuple[Ids, Text], names: Text) -> KnowledgeGraph:
    base = f"http://{name.lower()}.example"
    # As in a dataset that was read from files, a vocabulary holds what occurs.
    relations, triples[:, 1] = _used(triples[:, 1])
    attributes, facts[0][:, 1] = _used(facts[0][:, 1])
    # Ids like Wikidata's, which readers know to hold no name.
    return KnowledgeGraph(
        name,
        entities=text_array(f"{base}/Q{number:07d}" for number in range(len(names))),
        relations=text_array(f"{base}/relation/R{number:05d}" for number in relations),
        attributes=text_array(f"{base}/attribute/A{number:05d}" for number in attributes),
        relation_triples=triples,
        attribute_triples=facts[0],
        attribute_values=facts[1],
        names=names,
    )


def _used(ids: Ids) -> tuple[list[int], Ids]:
    """The ids that occur, and the same column counted among them."""
    occurs = np.bincount(ids) > 0
    rank = (np.cumsum(occurs) - 1).astype(np.int32)
    return np.flatnonzero(occurs).tolist(), rank[ids]


def _no_names(n_ent: int) -> Text:
    names = np.empty(n_ent, dtype=object)
    names[:] = ""
    return names
