"""Every check, and what comes of it for one method."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from mmea_bench.bench.battery import (
    declarations,
    devices,
    held_out_links,
    interruption,
    trainings,
    variant_effects,
)
from mmea_bench.bench.battery.failures import CheckFailedError, NotApplicableError
from mmea_bench.datasets.core.errors import UserError, unknown_name
from mmea_bench.methods.core.base import Method

Status = Literal["ok", "skipped", "failed"]
Cases = Callable[[type[Method]], tuple[str, ...]]


@dataclass(frozen=True)
class Check:
    """Something that every method must do.

    Attributes:
        name: As ``--only`` takes it.
        run: Raises ``CheckFailedError`` or ``NotApplicableError``; called with the method, and with
            the case where there are several.
        cases: What it is done for in turn, such as variants; None if it is done once.
    """

    name: str
    run: Callable[..., None]
    cases: Cases | None = None

    @property
    def text(self) -> str:
        """What a method must do, in a sentence."""
        return (self.run.__doc__ or "").strip().partition("\n")[0]

    def cases_of(self, method_type: type[Method]) -> tuple[str, ...]:
        """Cases of a method; one without a name if there are none to tell apart."""
        return ("",) if self.cases is None else self.cases(method_type)

    def __call__(self, method_type: type[Method], case: str = "") -> None:
        """Does the check for one case."""
        self.run(*((method_type,) if self.cases is None else (method_type, case)))


CHECKS = (
    Check("declares", declarations.check_metadata),
    Check("variant-parameters", declarations.check_variants_differ_in_parameters),
    Check("combined-variants", declarations.check_combined_variants),
    Check(
        "variant-modalities",
        declarations.check_variant_modalities,
        declarations.modality_variants,
    ),
    Check("reads-declared", trainings.check_reads_declared, trainings.declaring_variants),
    Check("held-out-links", held_out_links.check_held_out_links),
    Check("learns", trainings.check_learns),
    Check("output", trainings.check_output, trainings.tasks_of),
    Check("deterministic", trainings.check_deterministic),
    Check("missing-modality", trainings.check_missing_modality, trainings.removable_modalities),
    Check("few-images", trainings.check_few_images),
    Check("saved", trainings.check_saved),
    Check("deadline", trainings.check_deadline),
    Check("continues", interruption.check_continues),
    Check("second-device", devices.check_second_device, trainings.tasks_of),
    Check("transfers", devices.check_transfers, trainings.tasks_of),
    Check("variant-trains", trainings.check_variant_trains, trainings.named_variants),
    Check("variant-differs", variant_effects.check_variant_differs, trainings.named_variants),
    Check(
        "variant-removes",
        variant_effects.check_variant_is_a_poorer_dataset,
        variant_effects.removal_variants,
    ),
    Check("parameters-learn", trainings.check_parameters_learn),
    Check(
        "variant-learns",
        trainings.check_variant_parameters_learn,
        trainings.named_variants,
    ),
)


@dataclass(frozen=True)
class Outcome:
    """How a check ended.

    Attributes:
        check: Its name.
        case: What it was done for, empty if it is done once.
        status: ``failed`` if the method must be changed.
        text: Reason or sentence, empty for ``ok``.
    """

    check: str
    case: str
    status: Status
    text: str = ""


def run_checks(method_type: type[Method], only: Sequence[str] | None = None) -> Iterator[Outcome]:
    """Does the checks one after the other.

    Args:
        method_type: The method.
        only: Names of checks; None is all.

    Raises:
        UserError: If there is no check of a name.
    """
    chosen = chosen_checks(only)
    for check in chosen:
        try:
            cases = check.cases_of(method_type)
        except Exception as error:  # a variant that does not exist, for one
            yield Outcome(check.name, "", "failed", _told(error, method_type))
            continue
        for case in cases:
            yield _outcome(check, method_type, case)


def chosen_checks(only: Sequence[str] | None) -> tuple[Check, ...]:
    """The checks of some names, in their order; all for None.

    Raises:
        UserError: If there is no check of a name.
    """
    names = [check.name for check in CHECKS]
    for name in only or ():
        if name not in names:
            raise UserError(unknown_name("check", name, names))
    return tuple(check for check in CHECKS if only is None or check.name in only)


def _outcome(check: Check, method_type: type[Method], case: str) -> Outcome:
    try:
        check(method_type, case)
    except NotApplicableError as reason:
        return Outcome(check.name, case, "skipped", str(reason))
    except CheckFailedError as error:
        return Outcome(check.name, case, "failed", str(error))
    except (Exception, SystemExit) as error:  # whatever a method raises is a finding about it
        return Outcome(check.name, case, "failed", _told(error, method_type))
    return Outcome(check.name, case, "ok")


def _told(error: BaseException, method_type: type[Method]) -> str:
    """The error and where it came from: the last line of the method's own file, if it has any."""
    frames = traceback.extract_tb(error.__traceback__)
    file = getattr(sys.modules.get(method_type.__module__), "__file__", None)
    own = [frame for frame in frames if frame.filename == file]
    where = (own or frames)[-1]
    return f"{type(error).__name__}: {error} ({where.filename}, line {where.lineno})"
