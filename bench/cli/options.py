"""Options of verbs, made from the fields of a dataclass: ``Request`` or ``ReportOptions``."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import Field, fields
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer
from rich.markup import escape

from mmea_bench.bench.cli.texts import assignments, numbers, split_list, sweeps, user_errors
from mmea_bench.bench.planning.request import Request
from mmea_bench.reports.core.options import ReportOptions

_TEXTS = list[str] | None
_FORMS: dict[Any, tuple[Any, Callable[[str, Any], Any]]] = {
    tuple[str, ...]: (_TEXTS, lambda _flag, given: tuple(split_list(given) or ())),
    tuple[float, ...]: (_TEXTS, lambda flag, given: tuple(numbers(flag, given) or ())),
    tuple[Path, ...]: (list[Path] | None, lambda _flag, given: tuple(given or ())),
    Mapping[str, object] | None: (_TEXTS, lambda _flag, given: assignments(given) or None),
    Mapping[str, tuple[object, ...]] | None: (
        _TEXTS,
        lambda _flag, given: sweeps(given) or None,
    ),
}
"""Type of a field to the type of its option, and to what reads the option's texts."""


def method_words(incomplete: str) -> list[str]:
    """Methods that a shell may offer; nothing heavy is imported, for a key press waits."""
    from mmea_bench.datasets.core.plugins import METHODS_GROUP

    return _completed(incomplete, _plugin_names("methods", METHODS_GROUP))


def dataset_words(incomplete: str) -> list[str]:
    """As ``method_words``, for datasets."""
    from mmea_bench.datasets.core.plugins import DATASETS_GROUP

    names = _plugin_names("datasets", DATASETS_GROUP)
    return _completed(incomplete, [name.replace("_", "-") for name in names])


def suite_words(incomplete: str) -> list[str]:
    """As ``method_words``, for suites."""
    from mmea_bench.bench.planning.suite_files import suite_names

    return _completed(incomplete, suite_names())


def _plugin_names(folder: str, group: str) -> list[str]:
    from mmea_bench.datasets.core.plugins import offers

    files = (Path(__file__).resolve().parents[2] / folder).glob("[a-z]*.py")
    own = sorted(path.stem for path in files if path.stem != "api")
    offered = [name for name, offer in offers(group, own).items() if not offer.problem]
    return [*own, *offered]


def _completed(incomplete: str, names: Sequence[str]) -> list[str]:
    """Names that go on with the last word of a list with commas."""
    before, comma, begun = incomplete.rpartition(",")
    return [f"{before}{comma}{name}" for name in names if name.startswith(begun)]


_COMPLETIONS = {"methods": method_words, "datasets": dataset_words, "suite": suite_words}
"""Field of a request to what a shell may offer for it."""


def takes_request(
    *, plans_only: bool = False
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Gives a command the options of a request in the place of its first parameter ``request``.

    Args:
        plans_only: Leaves out the options that planning does not read.
    """
    chosen = [each for each in fields(Request) if each.metadata["plans"] or not plans_only]
    return functools.partial(_with_options, chosen, get_type_hints(Request), read_request)


def takes_report_options(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a command the options of a report in the place of its first parameter."""
    chosen = [each for each in fields(ReportOptions) if each.metadata]
    types = get_type_hints(ReportOptions)

    def read(values: Mapping[str, Any]) -> ReportOptions:
        return ReportOptions(**dict(_read(values, chosen, types)))

    return _with_options(chosen, types, read, command)


def _with_options(
    chosen: Sequence[Field[Any]],
    types: Mapping[str, Any],
    read: Callable[[Mapping[str, Any]], object],
    command: Callable[..., None],
) -> Callable[..., None]:
    """The command with an option for each field in the place of its first parameter."""
    _first, *own = inspect.signature(command, eval_str=True).parameters.values()
    given = [_parameter(each, types[each.name]) for each in chosen]

    @functools.wraps(command)
    def call(**values: Any) -> None:
        with user_errors():
            made = read(values)
        command(made, **{each.name: values[each.name] for each in own})

    every = [*given, *(each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in own)]
    call.__signature__ = inspect.Signature(every)  # type: ignore[attr-defined]
    call.__annotations__ = {each.name: each.annotation for each in every}
    return call


def read_request(values: Mapping[str, Any]) -> Request:
    """The request of the options' texts; what is not there keeps its default.

    Raises:
        UserError: If a text cannot be read.
    """
    return Request(**dict(_read(values, fields(Request), get_type_hints(Request))))


def _read(
    values: Mapping[str, Any], known: Sequence[Field[Any]], types: Mapping[str, Any]
) -> Iterator[tuple[str, Any]]:
    for each in known:
        if each.name in values:
            given = values[each.name]
            form = _FORMS.get(types[each.name])
            if form is None or given:  # an empty list of texts is no choice
                yield each.name, given if form is None else form[1](_flag(each), given)


def _flag(each: Field[Any]) -> str:
    return str(each.metadata.get("flag", "--" + each.name.replace("_", "-")))


def _parameter(each: Field[Any], kind: Any) -> inspect.Parameter:
    flag = _flag(each)
    option: Any = typer.Option(
        *((flag,) if kind is bool or "flag" in each.metadata else ()),
        help=escape(each.metadata["help"]),  # brackets would be read as a style
        rich_help_panel=each.metadata["panel"],
        min=each.metadata.get("min"),
        envvar=each.metadata.get("envvar"),
        autocompletion=_COMPLETIONS.get(each.name),
    )
    taken, default = (kind, each.default) if kind not in _FORMS else (_FORMS[kind][0], None)
    return inspect.Parameter(
        each.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=default,
        annotation=Annotated[taken, option],
    )
