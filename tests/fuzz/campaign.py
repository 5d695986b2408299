"""Fuzzes every reader of foreign files: ``python -m tests.fuzz.campaign --inputs 100000 --seed 1``.

Each reader runs in child processes, so that a crash of a native library, a hang or a memory beyond
the limit costs one input and is reported with what reproduces it (``--only NAME --number N``).
"""

from __future__ import annotations

import argparse
import collections
import importlib
import json
import math
import os
import resource
import select
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.fuzz.engine import Fuzzer, Outcome
from tests.fuzz.limits import MOST_SECONDS, resident_bytes
from tests.fuzz.targets import TARGETS, Target

_PER_CHILD = 500
_LONGEST_WAIT_S = 60.0  # of the wall clock: a reader that waits uses no processor time
_ROOM_BYTES = 3 * 2**30


@dataclass
class Tally:
    """Counts of one reader."""

    kinds: collections.Counter[str] = field(default_factory=collections.Counter)
    slowest: float = 0.0
    peak_bytes: int = 0

    def add(self, outcome: Outcome) -> None:
        self.kinds[outcome.kind] += 1
        self.slowest = max(self.slowest, outcome.seconds)
        self.peak_bytes = max(self.peak_bytes, outcome.peak_bytes)


def main(words: Sequence[str] | None = None) -> int:
    """Runs the campaign; 0 if there was no finding."""
    options = _options(words)
    findings: list[str] = []
    tallies: dict[str, Tally] = {}
    start = time.monotonic()
    targets = [target for target in TARGETS if options.only in ("", target.name)]
    for target, n_inputs in zip(targets, _shares(options.inputs, targets), strict=True):
        for module in target.needs:
            importlib.import_module(module)  # once, before the children are forked
        wanted = range(n_inputs) if options.number is None else [options.number]
        tallies[target.name] = _fuzz(target, options.seed, wanted, findings)
        _say_row(target.name, tallies[target.name])
    total = sum(tally.kinds.total() for tally in tallies.values())
    _say(f"{total:,} inputs in {time.monotonic() - start:.0f} s, {len(findings)} findings")
    for finding in findings:
        _say(finding)
    return 1 if findings else 0


def _options(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=2000, help="over all readers")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="name of one reader")
    parser.add_argument("--number", type=int, help="one input alone")
    return parser.parse_args(words)


def _shares(n_inputs: int, targets: Sequence[Target]) -> list[int]:
    """Inputs of each reader by its weight; never fewer in all than asked for."""
    total = sum(target.weight for target in targets)
    return [math.ceil(n_inputs * target.weight / total) for target in targets]


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _say_row(name: str, tally: Tally) -> None:
    kinds = tally.kinds
    _say(
        f"{name:20} {kinds.total():>8,} inputs {kinds['read']:>8,} read {kinds['refused']:>8,} "
        f"refused {kinds['finding']:>4} findings  slowest {tally.slowest:5.2f} s  "
        f"peak {tally.peak_bytes >> 20:>4} MiB"
    )


def _fuzz(target: Target, seed: int, numbers: Sequence[int], findings: list[str]) -> Tally:
    tally = Tally()
    waiting = list(numbers)
    while waiting:
        batch, waiting = waiting[:_PER_CHILD], waiting[_PER_CHILD:]
        done = 0
        for outcome in _child(target, seed, batch):
            tally.add(outcome)
            if outcome.kind == "finding":
                number = batch[done]
                again = f"--seed {seed} --only '{target.name}' --number {number}"
                findings.append(f"{target.name}, {again}: {outcome.text}")
                _say(findings[-1])
            done += 1
        waiting = batch[done:] + waiting
    return tally


def _child(target: Target, seed: int, numbers: Sequence[int]) -> Iterator[Outcome]:
    """Outcomes in order; the last one is a finding if the child did not come to its end."""
    reading, writing = os.pipe()
    process = os.fork()
    if process == 0:
        os.close(reading)
        _work(target, seed, numbers, writing)
    os.close(writing)
    n_done, rest = 0, b""
    problem = ""
    while not problem:
        ready, _, _ = select.select([reading], [], [], _LONGEST_WAIT_S)
        if not ready:
            os.kill(process, signal.SIGKILL)
            problem = f"hung for {_LONGEST_WAIT_S:.0f} s"
            break
        piece = os.read(reading, 1 << 16)
        if not piece:
            break
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            n_done += 1
            yield Outcome(**json.loads(line))
    os.close(reading)
    _, status = os.waitpid(process, 0)
    if n_done < len(numbers):
        code = os.waitstatus_to_exitcode(status)
        how = {-signal.SIGPROF: f"took more than {MOST_SECONDS:.0f} s", 70: "failed outside"}
        yield Outcome("finding", problem or how.get(code, f"died with {code}"), 0.0, 0)


def _work(target: Target, seed: int, numbers: Sequence[int], pipe: int) -> None:
    """The child: reads its inputs and reports each; leaves without the parent's clean-up."""
    code = 70
    try:
        warnings.simplefilter("ignore")
        limit = resident_bytes("VmSize") + _ROOM_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        memory_disk = Path("/dev/shm")  # noqa: S108 - thousands of small files
        place = memory_disk if memory_disk.is_dir() else None
        with tempfile.TemporaryDirectory(dir=place) as name:
            os.chdir(name)
            Path("in").mkdir()
            fuzzer = Fuzzer(target, Path("in").resolve())
            for number in numbers:
                # Unlike a handler of Python's, the default of this signal ends native code too.
                signal.setitimer(signal.ITIMER_PROF, 2 * MOST_SECONDS)
                outcome = fuzzer.run(seed, number)
                signal.setitimer(signal.ITIMER_PROF, 0)
                os.write(pipe, json.dumps(asdict(outcome)).encode() + b"\n")
        code = 0
    except Exception:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    sys.exit(main())
