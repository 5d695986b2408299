"""Turns the raw table of a suite into a checked one and collects every problem on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import ParamSpec, TypeVar, cast, get_args

from mmea_bench.bench.planning.suite import (
    DEFAULT_REPEATS,
    DEFAULT_SEED_RATIOS,
    SUITE_KEYS,
    GridMode,
    Suite,
    settings,
)
from mmea_bench.bench.planning.values.contradictions import contradictions, too_many
from mmea_bench.bench.planning.values.suite_values import (
    ALL,
    Parameters,
    Table,
    build,
    build_protocol,
    configure,
    no_parameters,
    number_or_none,
    partitions,
    timeout_or_none,
)
from mmea_bench.bench.planning.values.toml_values import (
    as_texts,
    as_whole,
    merged,
    parameter_table,
    printed_names,
    sections_of_others,
    split_kinds,
)
from mmea_bench.bench.precision.reduced import FULL_PRECISION, precision_of
from mmea_bench.bench.scoring.protocol import Protocol
from mmea_bench.datasets.core.access.catalogue import open_dataset
from mmea_bench.datasets.core.errors import UserError, unknown_name
from mmea_bench.datasets.core.model.split import (
    LARGEST_SEED_RATIO,
    SMALLEST_SEED_RATIO,
    is_seed_ratio,
)
from mmea_bench.methods.core.base import FULL, Method
from mmea_bench.methods.core.catalogue import get_method, method_names

ANY = "*"
PUBLISHED = "published"
MOST_LISTED = 50

P = ParamSpec("P")
ValueT = TypeVar("ValueT")


class SuiteChecker:
    """Checks one suite; problems are collected, not raised one by one.

    Args:
        where: Name of the file, for the error text.
        data_root: Folder of the data files.
        method_files: Method files of the user.
    """

    def __init__(
        self, where: str, data_root: Path | None, method_files: tuple[Path, ...] = ()
    ) -> None:
        self._where = where
        self._data_root = data_root
        self._files = method_files
        self._problems: list[str] = []
        self._left_out: list[str] = []
        self._types: dict[str, type[Method] | None] = {}

    def check(self, name: str, table: Table, changes: Table) -> Suite:
        """The checked suite.

        Raises:
            UserError: With every problem, one per line.
        """
        fixed = self._try(no_parameters(), parameter_table, changes.get("set", {}))
        raw = self._try(dict(table), merged, table, changes)
        for key in raw:
            if key not in SUITE_KEYS:
                self._problems.append(unknown_name("key", key, SUITE_KEYS))
        methods = self._methods(raw, chosen="methods" in changes)
        datasets = self._datasets(raw)
        suite = Suite(
            name=name,
            title=self._text(raw, "title", name),
            description=self._text(raw, "description", ""),
            methods=methods,
            datasets=datasets,
            seed_ratios=self._seed_ratios(raw),
            splits=self._try({}, split_kinds, raw.get("split", {}), datasets, self._address),
            repeats=self._repeats(raw),
            variants=self._variants(raw, methods),
            grid=self._grid(raw, methods, fixed, chosen="grid" in changes),
            grid_mode=self._grid_mode(raw),
            overrides=self._overrides(raw, methods, fixed),
            protocol=self._protocol(raw),
            timeout_s=self._try(None, timeout_or_none, raw.get("timeout_s")),
            partitions=self._try(1, partitions, raw.get("partitions", 1)),
            precision=self._try(FULL_PRECISION, precision_of, raw.get("precision", "full")),
            names=self._try({}, printed_names, raw.get("names", {})),
            left_out=tuple(self._left_out),
        )
        if methods and "methods" not in changes:
            # A name that does not work is one problem already.
            given = raw.get("methods")
            listed = (
                {str(name).replace("-", "_") for name in given} if isinstance(given, list) else ()
            )
            self._problems.extend(sections_of_others(table, {*methods, *listed}))
        self._check_settings(suite)
        if self._problems:
            raise UserError(self._report())
        return suite

    def _report(self) -> str:
        problems = list(dict.fromkeys(self._problems))
        if len(problems) == 1:
            return f"{self._where}: {problems[0]}"
        listed = problems[:MOST_LISTED]
        if len(problems) > MOST_LISTED:
            listed.append(f"and {len(problems) - MOST_LISTED} more")
        lines = "\n".join(f"  - {problem}" for problem in listed)
        return f"{self._where} has {len(problems)} problems:\n{lines}"

    def _try(
        self, otherwise: ValueT, make: Callable[P, ValueT], *args: P.args, **kwargs: P.kwargs
    ) -> ValueT:
        """The result of ``make``, or ``otherwise`` and one problem more."""
        try:
            return make(*args, **kwargs)
        except UserError as error:
            self._problems.append(str(error))
            return otherwise

    def _type(self, name: str) -> type[Method] | None:
        """Class of a method; a name that does not work is one problem, however often it stands."""
        if name not in self._types:
            self._types[name] = self._try(None, self._load, name)
        return self._types[name]

    def _methods(self, raw: Table, *, chosen: bool) -> tuple[str, ...]:
        own = self._own_methods()
        if "methods" not in raw:
            if not self._files:
                self._problems.append("No methods are named. Add `methods` (or --methods).")
            return own
        names: list[str] = []
        for given in self._texts("methods", raw["methods"]):
            if given == ALL:
                names.extend(self._usable_methods())
            elif self._type(given) is not None:
                names.append(given.replace("-", "_"))
        if not chosen:
            names.extend(own)
        return tuple(dict.fromkeys(names))

    def _own_methods(self) -> tuple[str, ...]:
        """Methods of the user's files: whoever names a file wants to see its method run."""
        names = [path.stem.replace("-", "_") for path in self._files]
        return tuple(name for name in names if self._type(name) is not None)

    def _usable_methods(self) -> Iterator[str]:
        for name in method_names():
            try:
                self._types[name] = get_method(name, self._files)
            except UserError as error:
                self._left_out.append(str(error))
            else:
                yield name

    def _datasets(self, raw: Table) -> tuple[str, ...]:
        if "datasets" not in raw:
            self._problems.append("No datasets are named. Add `datasets` (or --datasets).")
            return ()
        given = self._texts("datasets", raw["datasets"])
        opened = [self._try(None, self._address, name) for name in given]
        return tuple(dict.fromkeys(address for address in opened if address is not None))

    def _address(self, dataset: str) -> str | None:
        return open_dataset(dataset, self._data_root).address

    def _load(self, name: str) -> type[Method] | None:
        return get_method(name, self._files)

    def _text(self, raw: Table, key: str, otherwise: str) -> str:
        given = raw.get(key, otherwise)
        if isinstance(given, str):
            return given
        self._problems.append(f"`{key}` must be text in quotes.")
        return otherwise

    def _texts(self, key: str, value: object) -> tuple[str, ...]:
        nothing: tuple[str, ...] = ()
        return self._try(nothing, as_texts, key, value)

    def _seed_ratios(self, raw: Table) -> tuple[float, ...]:
        given = raw.get("seed_ratios", list(DEFAULT_SEED_RATIOS))
        ratios = given if isinstance(given, Sequence) and not isinstance(given, str) else [given]
        checked = [self._try(None, number_or_none, "seed_ratios", ratio) for ratio in ratios]
        for ratio in checked:
            if ratio is not None and not is_seed_ratio(ratio):
                self._problems.append(
                    f"`seed_ratios` must be 0 or lie in {SMALLEST_SEED_RATIO}.."
                    f"{LARGEST_SEED_RATIO}, not {ratio:g}; 0.3 makes 30 % of the links seeds."
                )
        if not checked:
            self._problems.append("`seed_ratios` is empty. Name at least one, such as 0.3.")
        return tuple(dict.fromkeys(ratio for ratio in checked if ratio is not None))

    def _repeats(self, raw: Table) -> int:
        repeats = self._try(1, as_whole, "repeats", raw.get("repeats", DEFAULT_REPEATS))
        if repeats < 1:
            self._problems.append(f"`repeats` must be 1 or more, not {repeats}.")
        return repeats

    def _protocol(self, raw: Table) -> Protocol:
        given = raw.get("protocol", {})
        table = {"name": given} if isinstance(given, str) else given
        return self._try(Protocol(), build_protocol, table)

    def _variants(self, raw: Table, methods: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
        given = raw.get("variants", [FULL])
        if isinstance(given, Mapping):
            return self._variants_by_method(given, methods)
        wanted = self._texts("variants", given)
        known = {method: self._variant_names(method) for method in methods}
        for variant in wanted:
            if variant != ALL and methods and not any(variant in names for names in known.values()):
                valid = {name for names in known.values() for name in names}
                self._problems.append(
                    unknown_name("variant", variant, valid, "bench list variants")
                    + " No method of this suite has it."
                )
        return {
            method: names
            if ALL in wanted
            else tuple(variant for variant in wanted if variant in names)
            for method, names in known.items()
        }

    def _variants_by_method(
        self, given: Table, methods: tuple[str, ...]
    ) -> dict[str, tuple[str, ...]]:
        chosen: dict[str, tuple[str, ...]] = dict.fromkeys(methods, (FULL,))
        for method, variants in given.items():
            if self._type(method) is None:
                continue
            known = self._variant_names(method)
            wanted = self._texts(f"variants.{method}", variants)
            for variant in wanted:
                if variant != ALL and variant not in known:
                    self._problems.append(unknown_name(f"variant of {method}", variant, known))
            if method in chosen:
                chosen[method] = known if ALL in wanted else wanted
        return chosen

    def _variant_names(self, method: str) -> tuple[str, ...]:
        method_type = self._type(method)
        return (
            (FULL,) if method_type is None else tuple(dict.fromkeys((FULL, *method_type.variants)))
        )

    def _grid(
        self, raw: Table, methods: tuple[str, ...], fixed: Parameters, *, chosen: bool
    ) -> dict[str, dict[str, tuple[object, ...]]]:
        given = raw.get("grid", {})
        if given == PUBLISHED:
            types = {method: self._type(method) for method in methods}
            table: Parameters = {m: dict(kind.grid) for m, kind in types.items() if kind}
        elif isinstance(given, Mapping):
            table = self._try(no_parameters(), parameter_table, given, "grid")
        else:
            self._problems.append(
                '`grid` must be "published" or tables such as `[grid.mclea]` with lists of values.'
            )
            return {}
        grids: dict[str, dict[str, tuple[object, ...]]] = {}
        for method, values in self._by_method(table, methods).items():
            if chosen and methods and method not in methods:
                self._problems.append(unknown_name("method in --grid", method, methods))
            checked = {
                name: tuple(self._value(method, name, value) for value in self._list(name, listed))
                for name, listed in values.items()
                if name not in {**fixed.get(method, {}), **fixed.get(ANY, {})}
            }
            if chosen and len(checked) < len(values):
                names = ", ".join(sorted(values.keys() - checked.keys()))
                self._problems.append(
                    f"--set and --grid both name {names} of {method}. Keep one of them."
                )
            if method in methods:
                grids[method] = checked
        return grids

    def _by_method(self, table: Parameters, methods: tuple[str, ...]) -> Parameters:
        """The grid by method; a parameter for every method goes to those that have it."""
        if ANY not in table:
            return table
        shared = table[ANY]
        self._check_shared(shared, methods)
        types = {method: self._type(method) for method in methods}
        by_method = dict(table)
        del by_method[ANY]
        for method, kind in types.items():
            fields = getattr(getattr(kind, "Params", None), "__dataclass_fields__", {})
            own = {name: values for name, values in shared.items() if name in fields}
            if own:
                by_method[method] = {**own, **table.get(method, {})}
        return by_method

    def _grid_mode(self, raw: Table) -> GridMode:
        given = raw.get("grid_mode", "all combinations")
        for mode in get_args(GridMode):
            if given == mode:
                return cast("GridMode", mode)
        self._problems.append(unknown_name("`grid_mode`", str(given), get_args(GridMode)))
        return "all combinations"

    def _list(self, name: str, listed: object) -> Sequence[object]:
        if isinstance(listed, (list, tuple)) and listed:
            return listed
        self._problems.append(f"`grid` of '{name}' must be a list with at least one value.")
        return ()

    def _value(self, method: str, name: str, value: object) -> object:
        """The value in the type of the parameter."""
        method_type = self._type(method)
        if method_type is None:
            return value
        options = {name: value}
        built = self._try(None, build, f"parameter of {method}", method_type.Params, options)
        return value if built is None else getattr(built, name)

    def _overrides(
        self, raw: Table, methods: tuple[str, ...], fixed: Parameters
    ) -> dict[str, dict[str, object]]:
        given = self._try(no_parameters(), parameter_table, raw.get("set", {}))
        use_test_params = raw.get("use_test_params", False)
        if not isinstance(use_test_params, bool):
            self._problems.append("`use_test_params` must be true or false.")
        for method in fixed:
            if methods and method not in (*methods, ANY):
                self._problems.append(unknown_name("method in --set", method, (*methods, ANY)))
        chosen: dict[str, dict[str, object]] = {}
        for method in dict.fromkeys((*methods, *(name for name in given if name != ANY))):
            method_type = self._type(method)
            if method_type is None:
                continue
            start = dict(method_type.test_params) if use_test_params is True else {}
            fields = getattr(method_type.Params, "__dataclass_fields__", {})
            shared = {name: value for name, value in given.get(ANY, {}).items() if name in fields}
            values = {**start, **shared, **given.get(method, {})}
            checked = {name: self._value(method, name, value) for name, value in values.items()}
            if method in methods:
                chosen[method] = checked
        self._check_shared(given.get(ANY, {}), methods)
        return chosen

    def _check_shared(self, shared: Table, methods: tuple[str, ...]) -> None:
        types = [method_type for method in methods if (method_type := self._type(method))]
        fields = {
            name for kind in types for name in getattr(kind.Params, "__dataclass_fields__", {})
        }
        for name in shared:
            if types and name not in fields:
                self._problems.append(unknown_name("parameter of any method", name, fields))

    def _check_settings(self, suite: Suite) -> None:
        """Values that are fine one by one may still contradict each other."""
        if self._problems:
            return
        types = {name: kind for name in suite.methods if (kind := self._type(name))}
        self._problems += contradictions(suite.protocol, suite.seed_ratios, suite.partitions, types)
        if wrong_size := too_many(suite.n_cells):
            self._problems += wrong_size
            return
        for method, method_type in types.items():
            kinds = _kinds_of_datasets(suite, method_type)
            for variant, overrides in settings(suite, method):
                for dataset in kinds:
                    self._try(None, configure, method_type, method, variant, overrides, dataset)


def _kinds_of_datasets(suite: Suite, method_type: type[Method]) -> tuple[str | None, ...]:
    """One dataset for each set of published settings that the suite applies; None for none."""
    if suite.protocol.name != "paper":
        return (None,)
    return tuple({method_type.published_for(name)[0]: name for name in suite.datasets}.values())
