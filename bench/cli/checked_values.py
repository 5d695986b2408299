"""What the option parser passes over in silence: empty values, and options given twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from typer import BadParameter
from typer.core import TyperGroup

from mmea_bench.bench.cli.user_errors import sentences
from mmea_bench.bench.running.console import echo
from mmea_bench.datasets.core.errors import UserError

_UNREADABLE: type[Exception] = BadParameter.__bases__[0]
"""What the parser raises for words that it cannot read; the verb says it with its own usage."""


class CheckedValues(TyperGroup):
    """Verbs that refuse an empty value, and say which of two values counts.

    An empty value is most often a variable of a script that was never set; as a path it would
    mean the current folder, and as a text the default. Of two values the last counts, as
    everywhere on the command line, so that a script can override what it was given.
    """

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The verb and its words, which are looked at before the verb reads them.

        Raises:
            typer.Exit: With code 2, after a sentence was printed.
        """
        name, command, rest = super().resolve_command(ctx, args)
        if command and not hasattr(command, "commands") and not ctx.resilient_parsing:
            with sentences(), suppress(_UNREADABLE):
                parser = command.make_parser(command.context_class(command))
                values, _words, order = parser.parse_args(list(rest))
                _check(values, order)
        return name, command, rest


def _check(values: Mapping[str, Any], order: Sequence[Any]) -> None:
    seen: set[str] = set()
    for parameter in order:
        is_option = parameter.param_type_name == "option"
        name = max(parameter.opts, key=len) if is_option else parameter.name.upper()
        given = values[parameter.name]
        if "" in (given if isinstance(given, (list, tuple)) else [given]):
            raise UserError(f"{name} was given an empty value. Give it one, or leave it out.")
        is_many = parameter.multiple or parameter.is_flag if is_option else True
        if parameter.name in seen and not is_many:
            echo(f"Note: {name} was given twice; the last value counts: {given}.", err=True)
        seen.add(parameter.name)
