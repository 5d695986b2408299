"""``python -m bench`` from a checkout."""

import sys


def _main() -> None:
    try:
        from mmea_bench.bench.cli.app import main
    except ModuleNotFoundError as error:
        sys.stderr.write(
            f"mmea-bench is not installed here (no module named '{error.name}'): "
            "run `make setup`, or `pip install -e .` in the checkout.\n"
        )
        raise SystemExit(2) from None
    main()


if __name__ == "__main__":
    _main()
