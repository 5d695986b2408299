"""MMEA: numbers, basis functions, targets and losses against their formulas."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from mmea_bench.datasets.core.model.graph import text_array
from mmea_bench.datasets.core.model.view import TrainView, restricted
from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.layers.value_encoder import unit_targets
from mmea_bench.methods.core.settings import taken_from
from mmea_bench.methods.mmea import MMEA, MMEAParams
from mmea_bench.methods.parts.mmea.numbers import NumericFacts, RadialBasis
from mmea_bench.methods.parts.mmea.views import GlorotDense, MMEAViews, ViewSettings
from tests.methods.small_graphs import small_view

USED = ("structure", "attribute", "image")


def valued_view() -> TrainView:
    """Source: born 1900 and 1910 of 0, n/a of 1, height 5 of 2. Target: height -2 of 0."""
    view = small_view()
    source = replace(view.source, attribute_values=text_array(["1900", "1910", "n/a", "5"]))
    return replace(
        view, source=source, target=replace(view.target, attribute_values=text_array(["-2"]))
    )


def views_of(view: TrainView, used: tuple[str, ...] = USED, **overrides: object) -> MMEAViews:
    params = MMEAParams(dim=4, n_bases=3, fewest_numbers=1, **overrides)  # type: ignore[arg-type]
    settings = taken_from(params, ViewSettings)
    return MMEAViews(view, used, params.fewest_numbers, settings, RunContext(rng_seed=1))


def test_numbers_are_signed_logarithms_standardised_by_attribute_over_both_kgs() -> None:
    view = valued_view()
    facts = NumericFacts.of(view, JointGraph.of(view), 1)
    assert facts.entities.tolist() == [0, 0, 2, 3]
    assert facts.attributes.tolist() == [0, 0, 1, 1]
    # Two numbers of an attribute stand one deviation from their mean, whatever they are.
    assert facts.numbers.tolist() == pytest.approx([-1, 1, 1, -1], abs=1e-5)


def test_numbers_far_from_the_mean_are_clipped() -> None:
    view = small_view()
    attributes = np.array([[0, 0]] * 20, dtype=np.int32)
    values = text_array(["0"] * 19 + ["1000"])
    source = replace(view.source, attribute_triples=attributes, attribute_values=values)
    view = replace(view, source=source)
    facts = NumericFacts.of(view, JointGraph.of(view), 10)
    assert float(facts.numbers.max()) == 3.0


def test_attributes_with_few_numbers_and_values_without_a_number_are_left_out() -> None:
    view = valued_view()
    graph = JointGraph.of(view)
    assert len(NumericFacts.of(view, graph, 2)) == 4
    assert len(NumericFacts.of(view, graph, 3)) == 0


def test_numbers_are_copied_to_every_partner_of_their_entity() -> None:
    entities, attributes = torch.tensor([0, 2, 3]), torch.tensor([0, 1, 1])
    facts = NumericFacts(entities, attributes, torch.tensor([0.5, 1.0, -1.0]))
    found = facts.with_swaps(torch.tensor([[0, 3], [0, 4]]))
    triples = zip(
        *(x.tolist() for x in (found.entities, found.attributes, found.numbers)), strict=True
    )
    expected = [(0, 0, 0.5), (2, 1, 1.0), (3, 1, -1.0), (3, 0, 0.5), (4, 0, 0.5), (0, 1, -1.0)]
    assert list(triples) == expected


def test_radial_basis_by_hand() -> None:
    basis = RadialBasis(2, 2, 2, 0.5, torch.Generator().manual_seed(0))
    with torch.no_grad():
        basis.centres.copy_(torch.tensor([[9.0, 9.0], [0.0, 1.0]]))
        basis.weight.copy_(torch.tensor([[3.0, 4.0], [0.0, 2.0]]))
        basis.bias.copy_(torch.tensor([[-5.0, 0.0]]))
    found = basis(torch.tensor([1]), torch.tensor([0.5]))[0]
    near = math.exp(-1)  # of both centres, one width away
    assert found.tolist() == pytest.approx([0.6 * near - 1, 0.8 * near + near])


def test_targets_have_unit_rows_or_a_unit_batch() -> None:
    rows = torch.tensor([[3.0, 4.0], [0.0, 12.0]])
    torch.testing.assert_close(unit_targets(rows, "rows"), torch.tensor([[0.6, 0.8], [0.0, 1.0]]))
    torch.testing.assert_close(unit_targets(rows, "batch"), rows / 13)


def softplus(gaps: Tensor) -> float:
    return sum(math.log1p(math.exp(gap)) for gap in gaps.tolist())


def test_visual_loss_is_that_of_entities_with_an_image_one_by_one() -> None:
    view = valued_view()
    visual = views_of(view, image_weight=2.0).views["image"]
    (loss,) = visual._losses()  # type: ignore[union-attr, call-arg, misc]
    features = view.joint_features("image")
    gaps = []
    for row in np.flatnonzero(features.present):
        image = torch.tensor(features.values[row])  # as it comes, of any length
        wanted = normalize(torch.tanh(visual.dense(image[None]))[0], dim=0)  # type: ignore[union-attr]
        gaps.append((normalize(visual.table[row], dim=0) - wanted).square().sum())
    assert loss.item() == pytest.approx(2 * softplus(torch.stack(gaps)), rel=1e-5)
    assert visual.rows.tolist() == [0, 2, 3]


def test_image_batches_are_drawn_from_all_entities_and_those_without_one_are_skipped() -> None:
    view = valued_view()  # of five entities three have an image
    visual = views_of(view, batch_size=2).views["image"]
    sizes = set()
    for _ in range(20):
        losses = list(visual._losses())  # type: ignore[union-attr, call-arg]
        assert len(losses) == 3
        sizes |= {round(float(loss.detach() > 0)) for loss in losses}
    # Entities 1 and 4 lack one: where both are drawn nothing is left, and nothing breaks.
    assert sizes == {0, 1}


def test_an_image_passes_glorots_weights_and_no_bias_at_first() -> None:
    view = valued_view()
    dense = views_of(view).views["image"].dense  # type: ignore[union-attr]
    assert not dense.bias.any()
    n_in, n_out = dense.weight.shape
    assert (n_in, n_out) == (view.joint_features("image").values.shape[1], 4)
    wide = GlorotDense(600, 400, torch.Generator().manual_seed(0)).weight
    bound = math.sqrt(6 / 1000)
    assert 0.99 * bound < float(wide.detach().abs().max()) <= bound


def test_numerical_loss_is_that_of_numbers_and_their_copies_one_by_one() -> None:
    view = valued_view()
    numerical = views_of(view).views["attribute"]
    (loss,) = numerical._losses()  # type: ignore[union-attr, call-arg, misc]
    graph = JointGraph.of(view)
    facts = NumericFacts.of(view, graph, 1).with_swaps(graph.seed_pairs(view))
    gaps = []
    for place in range(len(facts)):
        attribute, number = facts.attributes[place : place + 1], facts.numbers[place : place + 1]
        wanted = numerical.targets(attribute, number)[0]  # type: ignore[union-attr]
        own = normalize(numerical.table[facts.entities[place]], dim=0)
        gaps.append((own - wanted).square().sum())
    assert loss.item() == pytest.approx(softplus(torch.stack(gaps)), rel=1e-5)


def test_relational_loss_is_a_margin_over_triples_and_swapped_copies() -> None:
    view = valued_view()
    relational = views_of(view).views["structure"]
    batch = next(iter(relational._batches.epoch(1)))  # type: ignore[union-attr]
    (loss,) = relational._losses(1)  # type: ignore[union-attr, call-arg, misc]
    # 0-r->1, 1-r->0, 0-s->2, 2-s->2 and 3-q->4; seeds 0-3 and 1-4 give a copy for either end.
    copies = {(3, 0, 1), (0, 0, 4), (4, 0, 0), (1, 0, 3), (3, 1, 2), (0, 2, 4), (3, 2, 1)}
    triples = {tuple(triple) for triple in batch.triples.tolist()}
    assert triples == copies | {(0, 0, 1), (1, 0, 0), (0, 1, 2), (2, 1, 2), (3, 2, 4)}
    assert batch.stand_ins.shape == (len(triples), 10)
    assert loss.item() > 0


def test_common_space_counts_the_views_that_an_entity_has() -> None:
    views = views_of(valued_view(), structure_share=0.5, image_share=2.0, attribute_share=3.0)
    rows = torch.tensor([1, 2])
    own = normalize(views.common.table, dim=1)
    tables = {name: normalize(view.table, dim=1) for name, view in views.views.items()}

    def apart(name: str, row: int) -> Tensor:
        return (own[row] - tables[name][row]).square().sum()

    # Entity 1 has no image, and no number but those that its partner would have given it.
    expected = 0.5 * apart("structure", 1) + 0.5 * apart("structure", 2)
    expected = expected + 2 * apart("image", 2) + 3 * apart("attribute", 2)
    torch.testing.assert_close(views.common.gaps(rows), expected)


def test_alignment_is_the_squared_distance_of_common_vectors_of_seed_links() -> None:
    views = views_of(valued_view())
    (loss,) = views.common._alignment()
    own = normalize(views.common.table, dim=1)
    expected = (own[0] - own[3]).square().sum() + (own[1] - own[4]).square().sum()
    torch.testing.assert_close(loss, expected)


@pytest.mark.parametrize("variant", ["full", "w/o structure"])
@pytest.mark.parametrize(("swapping", "n_steps"), [(True, 3), (False, 1)])
def test_alignment_makes_as_many_steps_as_relations_would(
    variant: str, swapping: bool, n_steps: int
) -> None:
    method, view = MMEA.configure("mmea", variant), valued_view()
    shown = restricted(view, method.used_modalities(view.modalities))
    chosen = method.chosen_modalities(view.modalities)
    # Five triples and seven copies, five to a batch, whether or not there is a relational view.
    views = views_of(shown, chosen, swapping=swapping, batch_size=5)
    assert ("structure" in views.views) is (variant == "full")
    assert len(list(views.common._alignment())) == n_steps
    if variant == "full":
        relational = views.views["structure"]
        assert len(list(relational._losses(1))) == n_steps  # type: ignore[call-arg]


def test_alignment_makes_one_step_where_the_files_have_no_triples() -> None:
    view = restricted(valued_view(), ("attribute", "image"))
    views = views_of(view, batch_size=5)
    assert list(views.views) == ["image", "attribute"]
    assert len(list(views.common._alignment())) == 1


def test_triples_that_are_counted_alone_are_nothing_to_align_by() -> None:
    method = MMEA.configure("mmea", "w/o structure")
    assert method.used_modalities(USED) == ("attribute", "image", "structure")
    assert method.skip_reason(("structure",)) == "the dataset has nothing for any of the views"
    assert method.skip_reason(("image",)) is None


def test_files_without_numbers_leave_the_numerical_view_out_and_say_so() -> None:
    ctx = RunContext(rng_seed=1)
    settings = taken_from(MMEAParams(), ViewSettings)
    views = MMEAViews(small_view(), USED, 10, settings, ctx)
    assert list(views.views) == ["structure", "image"]
    assert "numerical view" in ctx.log.simulated["attribute_values"]
