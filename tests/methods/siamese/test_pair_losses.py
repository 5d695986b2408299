"""Losses over all combinations of pairs, by hand and against the whole matrix."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor

from mmea_bench.methods.core.siamese.pair_losses import (
    ContrastiveForm,
    mean_square,
    modal_contrastive_loss,
    orthogonality_loss,
    squared_contrastive_loss,
)


def all_combinations(source: Tensor, target: Tensor, margin: float) -> Tensor:
    """The contrastive loss with the whole matrix of cosines."""
    cosines = torch.nn.functional.normalize(source) @ torch.nn.functional.normalize(target).T
    own = torch.eye(len(source), dtype=torch.bool)
    hinge = (margin - cosines).clamp_min(0).square()
    return torch.where(own, hinge, cosines.square()).mean() / 2


def test_contrastive_loss_by_hand() -> None:
    source = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    target = torch.tensor([[3.0, 0.0], [3.0, 4.0]])
    # The cosines are 1 and 0.8 of partners, 0.6 and 0 of the others.
    loss = squared_contrastive_loss(source, target, 2.0)
    assert float(loss) == pytest.approx((1.0 + 0.36 + 1.44) / 8)


def test_contrastive_loss_of_inner_products_by_hand() -> None:
    source = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    target = torch.tensor([[3.0, 0.0], [0.5, 0.5]])
    # Inner products are 3 and 1 of partners, 0.5 and 0 of the others; 3 is past the margin.
    loss = squared_contrastive_loss(source, target, 2.0, cosine=False)
    assert float(loss) == pytest.approx((0.0 + 1.0 + 0.25 + 0.0) / 8)


def test_contrastive_loss_and_gradients_equal_the_matrix_of_all_pairs() -> None:
    torch.manual_seed(0)
    pairs = [torch.randn(40, 6, dtype=torch.float64) for _ in range(2)]
    gradients = []
    for function in (squared_contrastive_loss, all_combinations):
        leaves = [part.clone().requires_grad_() for part in pairs]
        loss = function(leaves[0], leaves[1], 2.0)
        loss.backward()  # type: ignore[no-untyped-call]
        gradients.append([loss.detach(), *(leaf.grad for leaf in leaves)])
    for fast, plain in zip(*gradients, strict=True):
        torch.testing.assert_close(fast, plain)


def test_pairs_that_do_not_count_leave_the_contrastive_loss_of_the_others() -> None:
    torch.manual_seed(0)
    counts = torch.tensor([True, False, True, True, False])
    unit = [torch.nn.functional.normalize(torch.randn(5, 3)) for _ in range(2)]
    source, target = (rows * counts.unsqueeze(1) for rows in unit)
    found = squared_contrastive_loss(source, target, 2.0, cosine=False, chosen=counts)
    expected = all_combinations(source[counts], target[counts], 2.0)
    torch.testing.assert_close(found, expected)
    nobody = torch.zeros(5, dtype=torch.bool)
    nothing = torch.zeros(5, 3)
    assert float(squared_contrastive_loss(nothing, nothing, 2.0, chosen=nobody)) == 0.0


def test_contrastive_loss_of_drawn_pairs_is_unbiased() -> None:
    torch.manual_seed(0)
    source, target = (torch.randn(5, 3, dtype=torch.float64) for _ in range(2))
    drawn = [list(rows) for rows in itertools.combinations(range(5), 3)]
    losses = [squared_contrastive_loss(source[rows], target[rows], 2.0, 5) for rows in drawn]
    whole = squared_contrastive_loss(source, target, 2.0)
    torch.testing.assert_close(torch.stack(losses).mean(), whole)


def test_contrastive_loss_with_a_number_of_negatives_is_a_weighted_mean() -> None:
    source = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    target = torch.tensor([[3.0, 0.0], [3.0, 4.0]])
    # One negative per partner is all that two pairs have; three weigh three times as much.
    one, three = (
        float(squared_contrastive_loss(source, target, 2.0, n_negatives=k)) for k in (1, 3)
    )
    assert one == pytest.approx(float(squared_contrastive_loss(source, target, 2.0)))
    assert three == pytest.approx((1.0 + 1.44 + 3 * 0.36) / (2 * 2 * (1 + 3)))


def test_a_number_of_negatives_makes_the_loss_independent_of_the_pairs_drawn_from() -> None:
    torch.manual_seed(0)
    source, target = (torch.randn(6, 3, dtype=torch.float64) for _ in range(2))
    few, many = (
        squared_contrastive_loss(source, target, 2.0, n_pairs, n_negatives=4)
        for n_pairs in (None, 900)
    )
    torch.testing.assert_close(few, many)


def test_with_many_negatives_per_dimension_orthogonal_partners_cost_less_than_aligned_ones() -> (
    None
):
    corners = torch.eye(4).repeat(10, 1)  # 40 pairs spread evenly over 4 dimensions
    apart = torch.eye(8)[:, :4].T.repeat(10, 1), torch.eye(8)[:, 4:].T.repeat(10, 1)

    def aligned_less_apart(n_negatives: int | None) -> float:
        aligned, orthogonal = (
            squared_contrastive_loss(*pairs, 2.0, n_negatives=n_negatives)
            for pairs in ((corners, corners), apart)
        )
        return float(aligned - orthogonal)

    assert aligned_less_apart(None) > 0
    assert aligned_less_apart(8) < 0


def test_losses_without_rows_are_zero() -> None:
    nothing = torch.empty(0, 4)
    assert float(squared_contrastive_loss(nothing, nothing, 2.0)) == 0.0
    assert float(mean_square(nothing, nothing)) == 0.0


def test_orthogonality_loss_by_hand() -> None:
    residual = torch.tensor([[1.0, 2.0], [0.0, 1.0]])
    other = torch.tensor([[3.0, 4.0], [5.0, 0.0]])
    # Means of the products 5.5 and 0.
    assert float(orthogonality_loss(residual, other)) == pytest.approx(5.5**2 / 2)


def test_modal_loss_adds_each_modality_over_the_pairs_that_have_it() -> None:
    torch.manual_seed(0)
    joint, image, base = (torch.randn(6, 4, dtype=torch.float64) for _ in range(3))
    present = {
        "image": torch.tensor([True, True, False, True, True, True]),
        "structure": torch.ones(6, dtype=torch.bool),
    }
    pairs = torch.tensor([[0, 3], [1, 4], [2, 5]])
    image, base = (torch.nn.functional.normalize(rows, dim=1) for rows in (image, base))
    image = image * present["image"].unsqueeze(1)
    single = {"image": image, "structure": base}
    found = modal_contrastive_loss(joint, single, present, ContrastiveForm(2.0))
    source, target = pairs.T
    expected = all_combinations(joint[source], joint[target], 2.0)
    expected = expected + all_combinations(base[source], base[target], 2.0)
    # The third pair lacks an image on one side.
    expected = expected + all_combinations(image[source[:2]], image[target[:2]], 2.0)
    torch.testing.assert_close(found, expected)
