"""``meta.json`` beside the files of any layout: what the files themselves have no place for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmea_bench.datasets.core.errors import DataError, shown
from mmea_bench.datasets.core.model.graph import Ids, KnowledgeGraph
from mmea_bench.datasets.core.model.pair import MODALITIES, KGPair
from mmea_bench.datasets.core.readers import graphs, text

NAME = "meta.json"
SIDES = ("source", "target")
_EXAMPLE = 'Write {"simulated": [], "dangling": {"source": [], "target": []}} or remove the file.'


@dataclass(frozen=True)
class Meta:
    """What ``meta.json`` declares.

    Attributes:
        simulated: Modalities whose features were made up, sorted.
        dangling: URIs of the source and of the target KG that are known to have no partner.
    """

    simulated: tuple[str, ...] = ()
    dangling: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())

    def dangling_ids(
        self, both: Sequence[KnowledgeGraph], links: Ids
    ) -> tuple[tuple[Ids, Ids], list[str]]:
        """Ids of the dangling entities of both KGs, and a sentence where some are unknown.

        Raises:
            DataError: If one of them has a partner in ``links``.
        """
        found: list[Ids] = []
        notes = []
        for side, graph in enumerate(both):
            known = graphs.positions(graph.entities.tolist()) if self.dangling[side] else {}
            ids = sorted({known[uri] for uri in self.dangling[side] if uri in known})
            found.append(np.array(ids, dtype=np.int32))
            paired = set(ids) & set(links[:, side].tolist())
            if paired:
                uri = shown(graph.entities[min(paired)])
                raise DataError(
                    f"{NAME} calls {uri} of {graph.name} dangling, and a link gives it a partner. "
                    "Remove it there, or remove the link."
                )
            n_unknown = len(set(self.dangling[side]) - known.keys())
            if n_unknown:
                notes.append(
                    f"{NAME}: {n_unknown:,} dangling entities are no entities of {graph.name}; "
                    "they are left out."
                )
        return (found[0], found[1]), notes


def file(folder: Path | None) -> tuple[Path, ...]:
    """The file, where there is a folder that holds it."""
    path = None if folder is None else folder / NAME
    return (path,) if path is not None and path.is_file() else ()


def read(folder: Path | None) -> Meta:
    """What the file of a folder declares; nothing where it is missing.

    Raises:
        DataError: If it cannot be read.
    """
    found = file(folder)
    if not found:
        return Meta()
    (path,) = found
    try:
        content = json.loads("\n".join(text.read_lines(path)))
        simulated = content.get("simulated", [])
        if not isinstance(simulated, list) or not set(simulated) <= set(MODALITIES):
            raise ValueError(f"`simulated` must be a list of {', '.join(MODALITIES)}")
        dangling = content.get("dangling", {})
        if not isinstance(dangling, dict) or not set(dangling) <= set(SIDES):
            raise ValueError("`dangling` must be an object of `source` and `target`")
        source, target = (_uris(dangling.get(side, [])) for side in SIDES)
        return Meta(tuple(sorted(set(simulated))), (source, target))
    except (ValueError, AttributeError, TypeError, RecursionError) as error:
        problem = f"cannot be read ({shown(error, quote='')})"
        raise DataError.at(path, problem, _EXAMPLE) from None


def _uris(listed: object) -> tuple[str, ...]:
    if not isinstance(listed, list) or not all(isinstance(uri, str) for uri in listed):
        raise ValueError("`dangling` must hold lists of URIs")
    return tuple(listed)


def write(pair: KGPair, folder: Path, **further: str) -> None:
    """Writes what ``read`` gives back; nothing where there is nothing to say.

    Args:
        pair: Dataset.
        folder: Folder of its files.
        further: Other fields, for those who look into the file.
    """
    content: dict[str, object] = dict(further)
    if pair.simulated:
        content["simulated"] = list(pair.simulated)
    if any(map(len, pair.dangling)):
        both = zip(SIDES, (pair.source, pair.target), pair.dangling, strict=True)
        content["dangling"] = {side: graph.entities[ids].tolist() for side, graph, ids in both}
    if content:
        (folder / NAME).write_text(
            json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
        )
