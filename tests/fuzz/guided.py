"""Fuzzes one reader guided by coverage: ``python -m tests.fuzz.guided "feature pickle" 100000``.

Needs atheris (``pip install atheris``), which is no dependency of the project.
"""

from __future__ import annotations

import importlib
import sys
import tempfile
from pathlib import Path


def main() -> int:
    """Runs until the inputs are used up or one is a finding; atheris ends the process."""
    name, n_inputs = sys.argv[1], int(sys.argv[2])
    try:
        atheris = importlib.import_module("atheris")
    except ImportError:
        sys.stderr.write("atheris is not installed: pip install atheris.\n")
        return 2
    with atheris.instrument_imports(include=["mmea_bench"]):
        engine = importlib.import_module("tests.fuzz.engine")
        targets = importlib.import_module("tests.fuzz.targets").TARGETS
    target = next(target for target in targets if target.name == name)
    folder, seeds = (Path(tempfile.mkdtemp()) for _ in range(2))
    fuzzer = engine.Fuzzer(target, folder)
    damaged = fuzzer.chosen[0]
    (seeds / "valid").write_bytes(damaged.read_bytes())

    def one_input(content: bytes) -> None:
        outcome = fuzzer.read(damaged, content)
        if outcome.kind == "finding":
            raise AssertionError(outcome.text)

    atheris.Setup([sys.argv[0], str(seeds), f"-runs={n_inputs}", "-max_len=20000"], one_input)
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
