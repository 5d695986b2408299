"""The benchmark from Python: the same calls as those behind the command line.

Everything named here stays where it is; the rest of the project may move. Errors that the caller
can mend are ``UserError``: one sentence that says what is wrong and what to do.
"""

from mmea_bench.bench.api.calls import (
    Result,
    list_datasets,
    list_methods,
    list_suites,
    load_dataset,
    read_results,
    report,
    run,
    run_suite,
)
from mmea_bench.bench.api.outcomes import PlanOutcome, RunOutcome
from mmea_bench.bench.api.own_vectors import Evaluation, evaluate
from mmea_bench.bench.api.requests import plan_request, run_request
from mmea_bench.bench.planning.request import Request
from mmea_bench.bench.tracking.tracker import TrackedCell, TrackedRun, Tracker
from mmea_bench.datasets.core.errors import DataError, MissingDataError, UserError

__all__ = [
    "DataError",
    "Evaluation",
    "MissingDataError",
    "PlanOutcome",
    "Request",
    "Result",
    "RunOutcome",
    "TrackedCell",
    "TrackedRun",
    "Tracker",
    "UserError",
    "evaluate",
    "list_datasets",
    "list_methods",
    "list_suites",
    "load_dataset",
    "plan_request",
    "read_results",
    "report",
    "run",
    "run_request",
    "run_suite",
]
