"""Training seeds of which some are wrong on purpose."""

from __future__ import annotations

import numpy as np

from mmea_bench.datasets.core.model.graph import Ids, frozen_array
from mmea_bench.datasets.core.model.pair import KGPair


def trained_links(pair: KGPair, seed_links: Ids) -> Ids:
    """The seed links as a method gets them: as they are, or some with a wrong target.

    The seeds stand in the order of ``WrongSeeds.numbers``; the first ``round(share * n_seed)`` of
    them each take the target of the next one that is none of their own partners, and one that has
    no such target keeps its own. So more noise adds wrong links to
    those of less noise, a wrong target is always one of the seeds' own, and nearly every target
    stays in one link. Of validation and test links it only asks that no wrong seed is one.

    Args:
        pair: Dataset; its ``wrong_seeds`` say how many.
        seed_links: Links to train on, [n_seed, 2].

    Returns:
        Links in the order of ``seed_links``, [n_seed, 2]; ``seed_links`` itself without noise.
    """
    noise = pair.wrong_seeds
    n_wrong = 0 if noise is None else round(noise.share * len(seed_links))
    if noise is None or not n_wrong:
        return seed_links
    known = {(s, t): row for row, (s, t) in enumerate(pair.anchor_links.tolist())}
    rows = [known[s, t] for s, t in seed_links.tolist()]
    order = np.argsort(noise.numbers[rows], kind="stable")
    links = seed_links.copy()
    targets = seed_links[order, 1].tolist()
    for place in range(n_wrong):
        source = int(seed_links[order[place], 0])
        others = (targets[(place + step) % len(targets)] for step in range(1, len(targets)))
        own = targets[place]
        links[order[place], 1] = next((t for t in others if (source, t) not in known), own)
    frozen_array(links)
    return links


def wrong_seed_note(links: Ids, seed_links: Ids) -> str:
    """A sentence about seeds that were made wrong; "" for none."""
    n_wrong = int((links[:, 1] != seed_links[:, 1]).sum())
    return f"{n_wrong} of {len(links)} training seed links are wrong on purpose" * bool(n_wrong)
