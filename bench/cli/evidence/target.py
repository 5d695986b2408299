"""Which training stands behind a printed number: variant, seed ratio, and the number itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mmea_bench.datasets.core.access.catalogue import open_dataset
from mmea_bench.datasets.core.errors import UserError, unknown_name
from mmea_bench.datasets.core.model.pair import MODALITIES
from mmea_bench.methods.core.base import FULL, Method
from mmea_bench.methods.core.catalogue import get_method
from mmea_bench.reports.core.evidence.reference import CURVE_METRIC, Run
from mmea_bench.reports.core.published.match import Place, Printed, PublishedNumbers
from mmea_bench.reports.core.rows.setting_variants import setting_words
from mmea_bench.results.core.published import Published, find, name_key
from mmea_bench.results.core.table import Tables

SETTING_WORDS = ("names", "no-names", "iterative", "non-iterative")


@dataclass(frozen=True)
class Target:
    """What is trained, and what it is held against.

    Attributes:
        run: Method, variant, dataset, seed ratio and protocol.
        names: Whether entity names are read, where the dataset has them.
        iterative: Whether pseudo-labels are learned.
        printed: Printed Hits@1 of it, the one to compare with first.
        remarks: How ratio and variant were chosen, where the user did not say them.
    """

    run: Run
    names: bool
    iterative: bool
    printed: tuple[Printed, ...]
    remarks: tuple[str, ...]

    @property
    def setting(self) -> str:
        """In words."""
        names = "names" if self.names else "no names"
        return f"{names}, {'iterative' if self.iterative else 'not iterative'}"


def find_target(
    published: Published,
    reference: Tables | None,
    run: tuple[str, str],
    seed_ratio: float | None = None,
    setting: Sequence[str] = (),
    variant: str | None = None,
) -> Target:
    """The training behind the printed number of a method on a dataset.

    Args:
        published: What the sources print.
        reference: Shipped runs, None for none.
        run: Method and dataset, in any spelling that a run takes.
        seed_ratio: Where the user says it; else a ratio that is printed.
        setting: Words of ``SETTING_WORDS`` that must hold.
        variant: Where the user says it; else the one that the printed number is about.

    Raises:
        UserError: If method, dataset or variant do not exist, no variant has the setting, or no
            seed ratio is known.
    """
    method, dataset = run[0].replace("-", "_"), open_dataset(run[1]).address
    kind = get_method(method)
    for word in setting:
        if word not in SETTING_WORDS:
            raise UserError(unknown_name("setting", word, SETTING_WORDS))
    ratio, remarks = _ratio(published, reference, method, dataset, seed_ratio)
    numbers = PublishedNumbers(published.results, published.scoring)
    targets = [
        _target(numbers, kind, Run(method, name, dataset, ratio))
        for name in ([variant] if variant is not None else _candidates(kind))
    ]
    fitting = [target for target in targets if _has(target, setting)]
    if not fitting:
        raise UserError(
            f"No variant of {method} has the setting {', '.join(setting)}. See `mmea-bench list "
            f"variants --methods {method}`, and choose one with --variant."
        )
    shipped = set() if reference is None else _variants(reference, method, dataset)
    chosen = min(fitting, key=lambda target: _order(target, shipped))
    if variant is None and chosen.run.variant != FULL:
        remarks = (*remarks, f"variant '{chosen.run.variant}', which is the printed setting")
    return Target(chosen.run, chosen.names, chosen.iterative, chosen.printed, remarks)


def _target(numbers: PublishedNumbers, kind: type[Method], run: Run) -> Target:
    configured = kind.configure(run.method, run.variant, None, run.dataset)
    names = "name" in configured.used_modalities(MODALITIES)
    place = Place(
        *(run.method, run.variant, run.dataset, run.seed_ratio),
        names=names,
        iterative=configured.is_iterative,
    )
    printed = tuple(numbers.printed(place, CURVE_METRIC))
    return Target(run, names, configured.is_iterative, printed, ())


def _candidates(kind: type[Method]) -> Iterator[str]:
    """The full method and the variants that only change what it is given."""
    yield FULL
    yield from (name for name in kind.variants if setting_words(name) is not None)


def _has(target: Target, setting: Sequence[str]) -> bool:
    words = {
        "names" if target.names else "no-names",
        "iterative" if target.iterative else "non-iterative",
    }
    return set(setting) <= words


def _order(target: Target, shipped: set[str]) -> tuple[object, ...]:
    """The printed setting first; of equals one that has a reference, then the full method."""
    first = target.printed[0] if target.printed else None
    against = (
        [] if first is None else [reason for reason in first.reasons if reason.kind != "ratio"]
    )
    loud = sum(not reason.is_silence for reason in against)
    return (
        first is None,
        (loud, len(against)),
        target.run.variant not in shipped,
        target.run.variant != FULL,
    )


def _variants(reference: Tables, method: str, dataset: str) -> set[str]:
    cells = reference.cells
    own = cells[(cells["method"] == method) & (cells["dataset"] == dataset)]
    return set(own["variant"])


def _ratio(
    published: Published,
    reference: Tables | None,
    method: str,
    dataset: str,
    asked: float | None,
) -> tuple[float, tuple[str, ...]]:
    """The seed ratio, and how it was chosen."""
    if asked is not None:
        return asked, ()
    about = find(published.results, method=method)
    printed = sorted(set(about.loc[about["dataset"] == dataset, "seed_ratio"].dropna()))
    if printed:
        more = ", ".join(f"{ratio:g}" for ratio in printed[1:])
        return printed[0], ((f"also printed at seed ratio {more}",) if more else ())
    if reference is not None:
        cells = reference.cells
        own = cells[(cells["method"] == method) & (cells["dataset"] == dataset)]
        if len(own):
            ratio = float(own["seed_ratio"].min())
            return ratio, (f"no seed ratio is printed; {ratio:g} is that of the reference runs",)
    of_dataset = published.results[published.results["dataset"].map(name_key) == name_key(dataset)]
    counts = Counter(of_dataset["seed_ratio"].dropna())
    if not counts:
        raise UserError(
            f"Nothing is printed on {dataset}, so the seed ratio is not known. Give it with "
            "--seed-ratio."
        )
    ratio = float(counts.most_common(1)[0][0])
    return ratio, (f"no seed ratio is printed; {ratio:g} is the most usual on {dataset}",)
