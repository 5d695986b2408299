"""GCN-Align's towers as its released code sets them up."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.inputs.features import attribute_bags, attribute_cells
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.gcn_align import GCNAlign
from tests.methods.small_graphs import small_view


@pytest.mark.parametrize(("most", "n_rows"), [(2000, 2), (1, 1)])
def test_as_many_attribute_rows_as_attributes_exist(most: int, n_rows: int) -> None:
    view = small_view()  # its KGs know "born" and "height"
    method = GCNAlign.configure("gcn_align", overrides={"n_attributes": most})
    _, attributes = method.towers(JointGraph.of(view), view, RunContext(rng_seed=1))
    assert attributes.rows.shape == (n_rows, 100)
    # Cut at two standard deviations of 1 / sqrt(rows), and not of 1 / sqrt(2000).
    assert float(attributes.rows.detach().abs().max()) > 1 / math.sqrt(n_rows)
    assert float(attributes.rows.detach().abs().max()) <= 2 / math.sqrt(n_rows)


def test_bags_of_attributes_are_the_ones_of_the_dense_matrix() -> None:
    view = small_view()
    graph = JointGraph.of(view)
    rows, columns = attribute_cells(graph, 3)
    expected = np.nonzero(attribute_bags(graph, 3).numpy())
    np.testing.assert_array_equal(np.stack([rows, columns]), np.stack(expected))
