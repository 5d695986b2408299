"""Every method on a GPU, where there is one."""

from __future__ import annotations

import pytest
import torch

from mmea_bench.datasets.core.model.view import train_view
from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.catalogue import catalogue_entries
from tests.cases import method_battery as battery

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]
METHODS = {entry.name: entry.method_type for entry in catalogue_entries() if entry.method_type}


@pytest.mark.parametrize("name", METHODS)
def test_a_gpu_learns_what_a_cpu_learns(name: str) -> None:
    pair = battery.pair_for(METHODS[name])
    method = battery.configured(METHODS[name])
    battery.skip_where_impossible(method, pair)
    view = train_view(pair, battery.tiny_split(pair).seed_links)
    on_gpu = method.fit(view, RunContext(rng_seed=3, device=torch.device("cuda")))
    assert on_gpu.source.device.type == "cuda"
    on_cpu = battery.fit(method, pair)
    assert battery.hits_at_10(on_gpu, pair) == pytest.approx(
        battery.hits_at_10(on_cpu, pair), abs=0.1
    )
