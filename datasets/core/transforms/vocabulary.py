"""Vocabularies that hold what occurs, as those of datasets that were read from files."""

from __future__ import annotations

import numpy as np

from mmea_bench.datasets.core.model.graph import Ids, Text


def in_use(words: Text, ids: Ids) -> tuple[Text, Ids]:
    """The words that occur, in their order, and the same ids counted among them.

    Args:
        words: Vocabulary, [n].
        ids: Places in it, [m].
    """
    occurs = np.bincount(ids, minlength=len(words)) > 0
    place = (np.cumsum(occurs) - 1).astype(np.int32)
    return words[occurs], place[ids]
