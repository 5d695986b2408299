"""Puts objects, triples, attributes, labels and features together into an N-MMKG dataset."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mmea_bench.datasets.core.families.nmmea import NMMEA_GRAPHS
from mmea_bench.datasets.core.model.canonical import canonical
from mmea_bench.datasets.core.model.graph import Ids, KnowledgeGraph, text_array
from mmea_bench.datasets.core.model.pair import KGPair
from mmea_bench.datasets.core.synthesis.nmmkg_facts import build_facts, build_labels
from mmea_bench.datasets.core.synthesis.nmmkg_features import build_features
from mmea_bench.datasets.core.synthesis.nmmkg_settings import (
    PUBLISHED_N,
    NmmkgOptions,
    counts_of,
    knobs_of,
)
from mmea_bench.datasets.core.synthesis.nmmkg_triples import build_triples
from mmea_bench.datasets.core.synthesis.nmmkg_world import (
    Nodes,
    World,
    build_nodes,
    build_world,
    gold_pairs,
)
from mmea_bench.datasets.core.synthesis.randomness import Stream

MODALITIES = ("image", "text")


@dataclass(frozen=True)
class NmmkgStructure:
    """Everything but the features, nodes still in the order of their objects.

    Attributes:
        world: The hidden world.
        nodes: Nodes of both graphs.
        graphs: Both graphs.
        pairs: Gold pairs, [n_pairs, 2].
    """

    world: World
    nodes: tuple[Nodes, Nodes]
    graphs: tuple[KnowledgeGraph, KnowledgeGraph]
    pairs: Ids


def generate_nmmkg(address: str, options: NmmkgOptions) -> KGPair:
    """The synthetic N-MMKG of these options in canonical order; equal on every machine."""
    structure = generate_structure(options)
    features = build_features(options.seed, knobs_of(options), structure.world, structure.nodes)
    return canonical(
        KGPair(
            address,
            *structure.graphs,
            structure.pairs,
            features,
            MODALITIES,
            version="-",
            task="n-mmkg",
        )
    )


def generate_structure(options: NmmkgOptions) -> NmmkgStructure:
    """Graphs and pairs without features, which take most of the time."""
    scale, knobs = options.n / PUBLISHED_N, knobs_of(options)
    counts = counts_of(scale, knobs)
    world = build_world(options.seed, counts, knobs)
    nodes = build_nodes(counts)
    triples = build_triples(options.seed, scale, knobs, world, nodes)
    graphs = []
    for side in range(2):
        facts, values, attributes = build_facts(options.seed, scale, knobs, side, nodes[side])
        relations, triples_of_side = triples[side][1], triples[side][0]
        relation_ids, relation_names = _used(triples_of_side[:, 1], relations)
        attribute_ids, attribute_names = _used(facts[:, 1], attributes)
        triples_of_side[:, 1], facts[:, 1] = relation_ids, attribute_ids
        # Ids are handed out in random order: neither object nor modality can be guessed from them.
        numbers = Stream(options.seed, f"nmmkg/ids/side{side}").permutation(
            len(nodes[side].objects)
        )
        graphs.append(
            KnowledgeGraph(
                NMMEA_GRAPHS[side],
                entities=text_array(f"kg{side + 1}-{number:07d}" for number in numbers.tolist()),
                relations=text_array(relation_names),
                attributes=text_array(attribute_names),
                relation_triples=triples_of_side,
                attribute_triples=facts,
                attribute_values=values,
                names=build_labels(options.seed, side, world, nodes[side]),
            )
        )
    return NmmkgStructure(world, nodes, (graphs[0], graphs[1]), gold_pairs(*nodes))


def _used(ids: Ids, names: list[str]) -> tuple[Ids, list[str]]:
    """The ids counted among those that occur, and the names of these."""
    occurring, ranks = np.unique(ids, return_inverse=True)
    return ranks.astype(np.int32), [names[number] for number in occurring.tolist()]
