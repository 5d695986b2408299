"""Every method on a GPU, where there is one."""

from __future__ import annotations

import pytest
import torch

from mmea_bench.bench.battery.failures import NotApplicableError
from mmea_bench.bench.battery.fits import applicable, configured, fit, hits_at_10
from mmea_bench.bench.battery.small_pairs import easy_pair_for, tiny_view
from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.catalogue import catalogue_entries

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]
METHODS = {entry.name: entry.method_type for entry in catalogue_entries() if entry.method_type}


@pytest.mark.parametrize("name", METHODS)
def test_a_gpu_learns_what_a_cpu_learns(name: str) -> None:
    pair = easy_pair_for(METHODS[name])
    try:
        method = applicable(configured(METHODS[name]), pair)
    except NotApplicableError as reason:
        pytest.skip(str(reason))
    view = tiny_view(pair)
    on_gpu = method.fit(view, RunContext(rng_seed=3, device=torch.device("cuda")))
    assert on_gpu.source.device.type == "cuda"
    on_cpu = fit(method, pair)
    assert hits_at_10(on_gpu, pair) == pytest.approx(hits_at_10(on_cpu, pair), abs=0.1)
