"""Pronounceable names and their spelling in each KG."""

from __future__ import annotations

import math

import numpy as np

from mmea_bench.datasets.core.model.graph import Text
from mmea_bench.datasets.core.synthesis.randomness import Int, Stream, blocks
from mmea_bench.datasets.core.synthesis.settings import SyntheticOptions
from mmea_bench.datasets.core.synthesis.world import Members

_CONSONANTS = ["b", "d", "f", "g", "h", "j", "k", "l", "m", "n", "p", "r", "s", "t", "v", "w", "z"]
_CLUSTERS = ["br", "dr", "gr", "kl", "pr", "sh", "st", "tr"]
_ONSETS = [*_CONSONANTS, *_CLUSTERS]
_VOWELS = ["a", "e", "i", "o", "u", "ai", "ea", "ia", "ou"]
_CODAS = ["", "", "", "n", "r", "l", "s", "th", "m", "nd"]
# Deviating names that are another name altogether, which no spelling distance can bridge.
_ALIAS_SHARE = 0.6
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def build_names(
    options: SyntheticOptions, n_world: int, members: tuple[Members, Members], block_rows: int
) -> tuple[Text, Text]:
    """Surface forms of source and target entities, [n_ent] each."""
    words = pseudo_words(options.seed, round(200 + 6 * math.sqrt(n_world)))
    return (
        _side(options, "source", words, members[0].world_ids, block_rows),
        _side(options, "target", words, members[1].world_ids, block_rows),
    )


def pseudo_words(rng_seed: int, n_words: int) -> list[str]:
    """Capitalised words of two or three made-up syllables, ``n_words`` of them."""
    cells = np.arange(n_words * 3).reshape(n_words, 3)
    onset = Stream(rng_seed, "names/onset").below(cells, len(_ONSETS)).tolist()
    vowel = Stream(rng_seed, "names/vowel").below(cells, len(_VOWELS)).tolist()
    coda = Stream(rng_seed, "names/coda").below(cells, len(_CODAS)).tolist()
    length = (2 + Stream(rng_seed, "names/length").below(cells[:, 0], 2)).tolist()
    return [
        "".join(
            _ONSETS[onset[row][i]] + _VOWELS[vowel[row][i]] + _CODAS[coda[row][i]]
            for i in range(length[row])
        ).capitalize()
        for row in range(n_words)
    ]


def _side(
    options: SyntheticOptions, side: str, words: list[str], world_ids: Int, block_rows: int
) -> Text:
    names = np.empty(len(world_ids), dtype=object)
    deviates = Stream(options.seed, f"{side}/name/deviates")
    slips = Stream(options.seed, f"{side}/name/slips")
    given = {
        is_alias: Stream(options.seed, f"{side}/name/alias" if is_alias else "world/name")
        for is_alias in (False, True)
    }
    for block in blocks(len(names), block_rows):
        ids = world_ids[block]
        uniform = deviates.uniform(ids)
        is_alias = uniform < options.name_deviation * _ALIAS_SHARE
        is_misspelt = ~is_alias & (uniform < options.name_deviation)
        pairs = np.where(
            is_alias[:, None],
            _word_pairs(given[True], ids, len(words)),
            _word_pairs(given[False], ids, len(words)),
        ).tolist()
        spelt = np.empty(len(ids), dtype=object)
        spelt[:] = [f"{words[first]} {words[second]}" for first, second in pairs]
        slip_bits = slips.bits(ids[is_misspelt]).tolist()
        spelt[is_misspelt] = [
            misspelt(name, bits)
            for name, bits in zip(spelt[is_misspelt].tolist(), slip_bits, strict=True)
        ]
        names[block] = spelt
    return names


def _word_pairs(stream: Stream, world_ids: Int, n_words: int) -> Int:
    """Two word numbers per entity, [b, 2]; frequent words exist, so that names repeat."""
    uniform = stream.uniform(world_ids[:, None] * 2 + np.arange(2)[None, :])
    return np.asarray((n_words * (uniform * uniform)).astype(np.int64))


def misspelt(name: str, bits: int, most_edits: int = 3) -> str:
    """The name after one to ``most_edits`` edits, chosen by 64 random bits; never the name."""
    spelt = name
    for _ in range(1 + bits % most_edits):
        bits //= most_edits
        bits, kind = divmod(bits, 4)
        bits, place = divmod(bits, len(spelt))
        bits, letter = divmod(bits, len(_LETTERS))
        spelt = _edited(spelt, kind, place, _LETTERS[letter])
    # An edit can move the blank to an end, where no file format keeps it.
    spelt = " ".join(spelt.split())
    return spelt if spelt != name else name + _LETTERS[bits % len(_LETTERS)]


def _edited(name: str, kind: int, place: int, letter: str) -> str:
    before, after = name[:place], name[place + 1 :]
    if kind == 0:
        return before + letter + after
    if kind == 1:
        return before + letter + name[place] + after
    if kind == 2:
        return before + after
    return before + after[:1] + name[place] + after[1:]
