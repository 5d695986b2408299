"""Reads Horn rules that a user brings, as AMIE prints them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mmea_bench.datasets.core.errors import UserError
from mmea_bench.datasets.core.regular_files import read_regular
from mmea_bench.methods.core.inputs.graphs.joint_graph import IntArray
from mmea_bench.methods.parts.mugnn.rule_mining import NO_PREMISE

_ARROW = "=>"

Atom = tuple[str, str, str]


def read_rules(path: Path, relations: Sequence[str]) -> tuple[IntArray, IntArray]:
    """Bodies [n, 2] and heads [n] of the rules of a file, as in ``Rules``.

    A line is ``?x first ?z  ?z second ?y  => ?x conclusion ?y``, with one or two premises in any
    direction; relations may stand in angle brackets. What follows a tab is not read, nor are
    empty lines, comments (``#``) and a heading that begins with ``Rule``.

    Args:
        path: UTF-8 text.
        relations: Names of the KG's relations.

    Raises:
        UserError: If the file cannot be read or a line is no such rule; the line is named.
    """
    try:
        lines = read_regular(path).decode("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"The rules in {path} cannot be read: {error}.") from error
    ids = {name: place for place, name in enumerate(relations)}
    bodies, heads = [], []
    for number, line in enumerate(lines, start=1):
        text = line.split("\t")[0].strip()
        if not text or text.startswith(("#", "Rule")):
            continue
        where = f"Line {number} of {path}"
        body, head = _parsed(text, where)
        bodies.append(_labels(body, head, ids, where))
        heads.append(_relation(head[1], ids, where))
    return np.array(bodies, dtype=np.int64).reshape(-1, 2), np.array(heads, dtype=np.int64)


def _parsed(text: str, where: str) -> tuple[list[Atom], Atom]:
    sides = [part.split() for part in text.split(_ARROW)]
    sizes = [len(part) for part in sides]
    if sizes not in ([3, 3], [6, 3]):
        raise UserError(
            f"{where} is no rule of one or two premises and a conclusion, such as "
            f"'?a first ?c  ?c second ?b  => ?a conclusion ?b': {text!r}."
        )
    premises, conclusion = sides
    body = [_atom(premises[start : start + 3]) for start in range(0, len(premises), 3)]
    return body, _atom(conclusion)


def _atom(words: Sequence[str]) -> Atom:
    subject, relation, value = words
    return subject, relation.removeprefix("<").removesuffix(">"), value


def _labels(body: list[Atom], head: Atom, ids: dict[str, int], where: str) -> tuple[int, int]:
    """Labels of the premises, walked from the conclusion's subject to its object."""
    start, _, end = head
    n_relations = len(ids)

    def steps(atom: Atom) -> tuple[tuple[str, str, int], ...]:
        """Both ways to walk an atom: from, to, label."""
        relation = _relation(atom[1], ids, where)
        return (atom[0], atom[2], relation), (atom[2], atom[0], relation + n_relations)

    if len(body) == 1 and start != end:
        for first, last, label in steps(body[0]):
            if (first, last) == (start, end):
                return label, NO_PREMISE
    orders = (body, body[::-1]) if len(body) == 2 and start != end else ()
    for one, two in orders:
        for first, middle, label in steps(one):
            for again, last, second in steps(two):
                if first == start and middle == again and last == end and middle not in head[::2]:
                    return label, second
    raise UserError(
        f"{where}: the premises do not lead from {start} to {end}, the two variables of the "
        "conclusion, by one step or by two through a third variable."
    )


def _relation(name: str, ids: dict[str, int], where: str) -> int:
    if name not in ids:
        known = ", ".join(list(ids)[:3])
        raise UserError(f"{where}: the KG has no relation {name!r}; it has {known}, ...")
    return ids[name]
