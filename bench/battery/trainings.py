"""Checks of one training: it learns, repeats, survives poor data, stops, and can be saved."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np

from mmea_bench.bench.battery.failures import CheckFailedError, NotApplicableError, require
from mmea_bench.bench.battery.fits import (
    RNG_SEED,
    applicable,
    brief,
    configured,
    fit,
    fit_anew,
    fit_on,
    fitted,
    hits_at_10,
    is_same,
)
from mmea_bench.bench.battery.small_pairs import (
    REMOVABLE,
    easy_pair_for,
    main_task,
    poorer_pair,
    tiny_pair,
    tiny_pair_for,
    tiny_split,
    tiny_view,
    with_few_images,
)
from mmea_bench.bench.scoring.counterparts import counterpart_notes
from mmea_bench.bench.scoring.fusion_weights import fusion_weights
from mmea_bench.bench.scoring.returned import checked
from mmea_bench.datasets.core.errors import UserError
from mmea_bench.datasets.core.model.pair import MODALITIES, KGPair
from mmea_bench.methods.core.base import (
    FULL,
    Alignment,
    DeadlineError,
    DivergedError,
    Embeddings,
    Method,
    RunContext,
)

TIMES_CHANCE = 2.0


def tasks_of(method_type: type[Method]) -> tuple[str, ...]:
    """Tasks that a method declares, as cases of a check."""
    return method_type.tasks


def removable_modalities(method_type: type[Method]) -> tuple[str, ...]:
    """Modalities that the pair of a method's main task can do without."""
    return REMOVABLE[main_task(method_type)]


def named_variants(method_type: type[Method]) -> tuple[str, ...]:
    """The variants of a method."""
    return tuple(method_type.variants)


def declaring_variants(method_type: type[Method]) -> tuple[str, ...]:
    """The full method and the variants that declare other modalities.

    One that declares the same is shown the same as the full method; if it read more, it would not
    differ from it, which is a check of its own.
    """
    declared = {
        name: method_type.configure(method_type.__name__, name).used_modalities(MODALITIES)
        for name in (FULL, *method_type.variants)
    }
    return tuple(name for name in declared if name == FULL or declared[name] != declared[FULL])


def check_reads_declared(method_type: type[Method], variant: str) -> None:
    """What a configuration does not declare is of no influence, on any of its tasks."""
    method = brief(method_type, variant)
    pairs = [tiny_pair(task) for task in method_type.tasks]
    able = [pair for pair in pairs if method.skip_reason(pair.modalities) is None]
    if not able:
        applicable(method, pairs[0])
    for pair in able:
        if set(pair.modalities) <= set(method.used_modalities(pair.modalities)):
            continue  # what it declares is everything
        # The training that shows it less is shared with other checks.
        declared, everything = fit(method, pair), fit_on(method, tiny_view(pair)).alignment
        read = ", ".join(method.used_modalities(pair.modalities)) or "none"
        require(
            is_same(declared, everything),
            "Shown all of the dataset, the training gives other vectors: it reads more than the "
            f"modalities that it declares ({read}). Name what it reads in `modalities`, `requires` "
            "or `further_modalities`.",
        )


def check_learns(method_type: type[Method]) -> None:
    """Test Hits@10 of the test training is more than twice what chance gives."""
    if not method_type.modalities:
        raise NotApplicableError(
            "the method declares no modality, so there is nothing to learn from"
        )
    pair = easy_pair_for(method_type)
    found = hits_at_10(fit(applicable(configured(method_type), pair), pair), pair)
    chance = 10 / len(np.unique(tiny_split(pair).test_links[:, 1]))
    require(
        found > TIMES_CHANCE * chance,
        f"Hits@10 on an easy pair is {found:.3f}, chance is {chance:.3f}: the method does not "
        "learn with its test_params. Raise their learning rate or epochs, or look for a mistake.",
    )


def check_output(method_type: type[Method], task: str) -> None:
    """One finite row per entity, on each task that the method declares.

    So are vectors by modality, under names that a result table takes, and weights are shares.
    """
    pair = tiny_pair(task)
    _check_rows(fit(applicable(brief(method_type), pair), pair), pair)


def check_few_images(method_type: type[Method]) -> None:
    """Entities that lack an image get a finite row too."""
    if "entity-alignment" not in method_type.tasks:
        raise NotApplicableError("every node of an N-MMKG has its one modality")
    pair = with_few_images(tiny_pair())
    _check_rows(fit(applicable(brief(method_type), pair), pair), pair)


def check_missing_modality(method_type: type[Method], modality: str) -> None:
    """A dataset without a modality gives a result or a reason, never an exception."""
    pair = poorer_pair(main_task(method_type), modality)
    _check_rows(fit(applicable(brief(method_type), pair), pair), pair)


def check_deterministic(method_type: type[Method]) -> None:
    """The same seed gives bit-identical vectors in two real trainings."""
    pair = tiny_pair_for(method_type)
    method = applicable(brief(method_type), pair)
    require(
        is_same(fit(method, pair), fit_anew(method, pair).alignment),
        "Two trainings with one seed give different vectors. Draw all numbers from "
        "`ctx.generator(purpose)` and iterate over no sets.",
    )


def check_variant_trains(method_type: type[Method], variant: str) -> None:
    """A variant gives one finite row per entity."""
    pair = tiny_pair_for(method_type)
    _check_rows(fit(applicable(brief(method_type, variant), pair), pair), pair)


def check_parameters_learn(method_type: type[Method]) -> None:
    """Every trainable parameter of the full method learns in a few epochs."""
    idle = _idle(method_type, FULL)
    require(
        not idle,
        f"Trainable parameters that never learn: {', '.join(idle)}. They stand in no loss; leave "
        "them out, or freeze them with requires_grad_(False).",
    )


def check_variant_parameters_learn(method_type: type[Method], variant: str) -> None:
    """So it does in a variant, or the variant says what stands idle, and why."""
    reason, idle = method_type.idle_variants.get(variant), _idle(method_type, variant)
    require(
        not idle or reason is not None,
        f"Trainable parameters that never learn in '{variant}': {', '.join(idle)}. Leave them out, "
        "freeze them with requires_grad_(False), or give the reason in idle_variants.",
    )
    require(
        bool(idle) or reason is None,
        f"idle_variants says of '{variant}' that some parameters learn nothing ({reason}), but all "
        "of them do.",
    )


def _idle(method_type: type[Method], variant: str) -> tuple[str, ...]:
    pair = tiny_pair_for(method_type)
    return fitted(applicable(brief(method_type, variant), pair), pair).idle


def check_saved(method_type: type[Method]) -> None:
    """Written and read embeddings are equal; scores of pairs can be written."""
    pair = tiny_pair_for(method_type)
    alignment = fit(applicable(brief(method_type), pair), pair)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "embeddings.npz"
        alignment.save(path)
        if not isinstance(alignment, Embeddings):
            return
        restored = Embeddings.load(path)
    require(is_same(restored, alignment), "Embeddings that were saved are read back differently.")


def check_deadline(method_type: type[Method]) -> None:
    """A training whose time is over stops with ``DeadlineError``."""
    pair = tiny_pair_for(method_type)
    method = applicable(brief(method_type), pair)
    if not hasattr(method.params, "epochs"):
        raise NotApplicableError("the method does not train in epochs")
    try:
        method.fit(
            tiny_view(pair, method), RunContext(rng_seed=RNG_SEED, deadline=time.monotonic() - 1)
        )
    except DeadlineError:
        return
    raise CheckFailedError(
        "A training whose time is over goes on. Train with `train` of methods.api, or call "
        "`ctx.check_deadline()` in every epoch."
    )


def _check_rows(alignment: Alignment, pair: KGPair) -> None:
    try:
        checked(alignment, pair.sizes)
    except (UserError, DivergedError) as error:
        raise CheckFailedError(str(error)) from error
    notes = (*counterpart_notes(alignment), fusion_weights(alignment)[1])
    require(not any(notes), "; ".join(filter(None, notes)))
