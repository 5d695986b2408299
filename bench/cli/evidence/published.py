"""The verb ``published``: numbers that papers and repositories print, side by side."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from mmea_bench.bench.cli.texts import (
    AsJson,
    print_json,
    print_table,
    split_list,
    stdout,
    user_errors,
)
from mmea_bench.bench.running.console import echo, say
from mmea_bench.datasets.core.errors import UserError, unknown_name

if TYPE_CHECKING:
    import pandas as pd

    from mmea_bench.results.core.published import Published

NO_RATIO = "none"
NOT_SAID = "none"
FULL = "full"
SEE = "mmea-bench published"

Words = list[str] | None
MethodOption = Annotated[
    Words, typer.Option("--method", help="Methods, by our name or the printed one.")
]
VariantOption = Annotated[
    Words, typer.Option("--variant", help="Variants as printed; full is the full model.")
]
DatasetOption = Annotated[Words, typer.Option("--dataset", help="Datasets.")]
SeedRatioOption = Annotated[
    Words, typer.Option("--seed-ratio", help="Seed ratios; none is for rows without one.")
]
MetricOption = Annotated[Words, typer.Option("--metric", help="Metrics, such as hits@1 or f1.")]
SourceOption = Annotated[Words, typer.Option("--source", help="Keys of sources.")]
SettingOption = Annotated[
    Words,
    typer.Option(
        "--setting",
        help="names, no-names, iterative, non-iterative, unsupervised, joined by ';' where all "
        "must hold; none is for rows that do not say.",
    ),
]


def published_command(  # noqa: PLR0913 - typer wants every option in the signature
    method: MethodOption = None,
    variant: VariantOption = None,
    dataset: DatasetOption = None,
    seed_ratio: SeedRatioOption = None,
    metric: MetricOption = None,
    source: SourceOption = None,
    setting: SettingOption = None,
    coverage: Annotated[  # noqa: FBT002 - an option without a value
        bool, typer.Option("--coverage", help="Count the numbers whose method is here.")
    ] = False,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Numbers that papers and repositories print, side by side, with what contradicts what.

    Without a filter: what there is. Values stand as printed.
    Marks such as !C4 are explained beneath the table, with the value to trust.
    """
    given = {
        "method": split_list(method),
        "variant": split_list(variant),
        "dataset": split_list(dataset),
        "seed_ratio": split_list(seed_ratio),
        "metric": split_list(metric),
        "source": split_list(source),
        "setting": split_list(setting),
    }
    if coverage:
        _show_coverage(as_json=as_json)
        return
    filters = {name: words for name, words in given.items() if words is not None}
    with user_errors():
        from mmea_bench.results.core.published import read_published

        published = read_published()
        rows = chosen_rows(published.all_results, filters) if filters else None
    if rows is None:
        _show_summary(published, as_json=as_json)
    else:
        _show_rows(published, rows, as_json=as_json)


def _show_coverage(*, as_json: bool) -> None:
    """How many of the published numbers belong to a method that exists."""
    from dataclasses import asdict

    from mmea_bench.bench.cli.evidence.published_coverage import coverage
    from mmea_bench.methods.core.catalogue import method_names
    from mmea_bench.results.core.published import read_published

    with user_errors():
        found = coverage(read_published().results, method_names())
    if as_json:
        print_json({"sentence": found.sentence, **asdict(found)})
        return
    say(stdout(), f"{found.sentence} belong to a method that is here.")
    print_table(
        ["source", "covered", "numbers"],
        [[name, str(own), str(n)] for name, (own, n) in found.by_source.items()],
    )
    print_table(
        ["method", "numbers", "here"],
        [
            [name, str(n), "yes" if is_here else "no"]
            for name, (n, is_here) in found.by_method.items()
        ],
    )


def _show_summary(published: Published, *, as_json: bool) -> None:
    from mmea_bench.bench.cli.evidence.published_view import show_summary, summary_of_sources

    if not as_json:
        show_summary(published, stdout())
        return
    results = published.all_results
    statements = published.statements.astype(object)
    print_json(
        {
            "sources": summary_of_sources(published),
            "methods": sorted(set(results["method"]), key=str.lower),
            "datasets": list(dict.fromkeys(results["dataset"])),
            # JSON has no NaN.
            "statements": statements.where(statements.notna(), None).to_dict("records"),
        }
    )


def _show_rows(published: Published, rows: pd.DataFrame, *, as_json: bool) -> None:
    from mmea_bench.bench.cli.evidence import published_view
    from mmea_bench.results.core.published_cells import cells_of, explanations

    cells = cells_of(rows)
    explained = explanations(rows, published.contradictions)
    if as_json:
        print_json(published_view.as_json(cells, explained))
    elif cells:
        published_view.show_cells(cells, explained, stdout())
    else:
        echo(
            "No printed number fits all of these filters. Leave one out, or see "
            f"`{SEE}` for what there is.",
            err=True,
        )


def chosen_rows(results: pd.DataFrame, filters: Mapping[str, list[str]]) -> pd.DataFrame:
    """The published results that fit all filters.

    Args:
        results: ``Published.all_results``.
        filters: Column to the words that the user gave for it; any of them may fit.

    Raises:
        UserError: If a word names nothing; the text has the nearest valid one.
    """
    from mmea_bench.results.core.published import name_key
    from mmea_bench.results.core.published_cells import has_setting, method_names

    chosen = results["method"].notna()
    for column, words in filters.items():
        if column == "seed_ratio":
            ratios = [_ratio(word) for word in words]
            stated = [ratio for ratio in ratios if ratio is not None]
            fits = results[column].isin(stated) | (results[column].isna() & (None in ratios))
        elif column == "setting":
            fits = has_setting(results[column], [_setting(word, results) for word in words])
        else:
            spellings = (
                method_names(results)
                if column == "method"
                else {name_key(name or FULL): name for name in dict.fromkeys(results[column])}
            )
            names = [_known(column, word, spellings) for word in words]
            fits = results[column].isin(names)
            if column == "metric":
                fits |= results["reads_as"].isin(names)
        chosen &= fits
    return results[chosen]


def _known(column: str, word: str, spellings: Mapping[str, str]) -> str:
    from mmea_bench.results.core.published import name_key

    key = name_key(word)
    if key not in spellings:
        valid = {name.lower() or FULL for name in spellings.values()}
        kind = f"{column} of a published number"
        raise UserError(unknown_name(kind, word.lower(), valid, SEE))
    return spellings[key]


def _ratio(word: str) -> float | None:
    if word == NO_RATIO:
        return None
    try:
        ratio = float(word)
    except ValueError:
        ratio = math.nan
    if not 0.0 <= ratio <= 1.0:
        raise UserError(f"--seed-ratio takes fractions such as 0.2, or {NO_RATIO}, not '{word}'.")
    return ratio


def _setting(words: str, results: pd.DataFrame) -> str:
    from mmea_bench.bench.cli.evidence.published_view import setting_words

    if words == NOT_SAID:
        return ""
    valid = setting_words(results)
    for word in words.split(";"):
        if word not in valid:
            kind = "setting of a published number"
            raise UserError(unknown_name(kind, word, {*valid, NOT_SAID}, SEE))
    return words
