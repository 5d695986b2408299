"""One fuzzed input: made from a seed, read, judged, and cleared away."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mmea_bench.datasets.core.errors import UserError
from mmea_bench.results.core.errors import ResultsError
from tests.fuzz.limits import MOST_GROWTH_BYTES, MOST_SECONDS, measured
from tests.fuzz.targets import Target

_LONGEST_SENTENCE = 3000


@dataclass(frozen=True)
class Outcome:
    """What became of one input.

    Attributes:
        kind: ``read`` (it was valid after all), ``refused`` (with a clean sentence) or
            ``finding``.
        text: Sentence of the refusal, or what is wrong.
        seconds: Processor time of the reading.
        peak_bytes: Peak of the resident memory of the whole process.
    """

    kind: str
    text: str
    seconds: float
    peak_bytes: int


class Fuzzer:
    """A target with its valid files in a folder of its own."""

    def __init__(self, target: Target, folder: Path) -> None:
        self._target, self._folder = target, folder
        target.write(folder)
        self._valid: Mapping[Path, bytes] = {
            path: path.read_bytes() for path in folder.rglob("*") if path.is_file()
        }
        self.chosen = list(target.files(folder))
        target.read(folder)
        self._restore()

    def run(self, seed: int, number: int) -> Outcome:
        """Makes input ``number`` of a campaign and reads it."""
        rng = random.Random(f"{seed}/{self._target.name}/{number}")  # noqa: S311 - to be repeated
        path = rng.choice(self.chosen)
        content = self._target.make(rng, path, self._valid[path])
        return self.read(path, content)

    def read(self, path: Path, content: bytes | None) -> Outcome:
        """Reads the folder with one file replaced (or as it is) and judges what happens."""
        if content is not None:
            path.write_bytes(content)
        with measured() as cost:
            kind, text = _judged(self._target, self._folder)
        if cost.seconds > MOST_SECONDS:
            kind, text = "finding", f"took {cost.seconds:.1f} s; {text}"
        # The growth, because a process that ran other tests before holds more to begin with.
        if cost.growth_bytes > MOST_GROWTH_BYTES:
            kind, text = "finding", f"took {cost.peak_bytes >> 20} MiB; {text}"
        self._restore()
        return Outcome(kind, text, cost.seconds, cost.peak_bytes)

    def _restore(self) -> None:
        for path in list(self._folder.rglob("*")):
            if path.is_file() and path not in self._valid:
                path.unlink()
        for path, content in self._valid.items():
            if not path.is_file() or path.read_bytes() != content:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)


def _judged(target: Target, folder: Path) -> tuple[str, str]:
    try:
        target.read(folder)
    except (UserError, ResultsError) as error:
        sentence = str(error)
        lines = sentence.split("\n") if target.many_lines else [sentence]
        if not all(line.isprintable() for line in lines) or not sentence:
            return "finding", f"the error cannot be printed: {sentence!r}"
        if len(sentence) > _LONGEST_SENTENCE and not target.many_lines:
            return "finding", f"the error has {len(sentence)} letters: {sentence[:200]!r}"
        return "refused", sentence
    except Exception as error:  # what a user would see as a traceback
        place = error.__traceback__
        while place is not None and place.tb_next is not None:
            place = place.tb_next
        where = f"{place.tb_frame.f_code.co_filename}:{place.tb_lineno}" if place else ""
        return "finding", f"{type(error).__name__}: {str(error)[:200]!r} at {where}"
    return "read", ""
