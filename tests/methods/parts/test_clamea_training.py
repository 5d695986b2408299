"""What a step of CLAMEA trains on: seeds, pseudo-pairs, drawn entities, and its loss."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest
import torch
from torch import Tensor

from mmea_bench.methods.clamea import CLAMEA, CLAMEAParams, Losses
from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.siamese.training_sets import SetForm, TrainingSets
from mmea_bench.methods.parts.clamea.modal_encoder import ModalEncoder, modality_inputs
from tests.methods.small_graphs import small_view


def training(
    settings: Mapping[str, object] | None = None, **overrides: object
) -> tuple[TrainingSets, Losses]:
    view = small_view()
    ctx = RunContext(rng_seed=1)
    sizes = {"dim": 4, "latent": 2, "weight_heads": 2, "vae_sample": 3}
    params = CLAMEAParams(**{**sizes, **(settings or {})})  # type: ignore[arg-type]
    graph = JointGraph.of(view)
    inputs = modality_inputs(view, ("image", "attribute"), "hashed", 512, ctx)
    encoder = ModalEncoder(graph, inputs, params, ctx)
    sets = TrainingSets(encoder, graph.seed_pairs(view)[:1], 1, ctx, SetForm(**overrides))
    return sets, Losses(encoder, params, ctx)


def test_pseudo_pairs_append_to_the_seeds_and_bring_swapped_triples() -> None:
    sets, _ = training()
    before = sets.n_triples
    sets.grow(1)
    # One entity of the target KG is free, so there is one mutual pair with it at most.
    assert sets.pairs[0].tolist() == [0, 3]
    assert len(sets.pairs) == 2
    assert int(sets.pairs[1, 1]) == 4
    assert sets.n_triples > before


def test_an_epoch_holds_every_triple_once() -> None:
    sets, _ = training()
    batches = [triples for triples, _, _ in sets.triple_batches(4)]
    assert all(len(triples) == 4 for triples in batches[:-1])
    assert len(torch.unique(torch.cat(batches), dim=0)) == sets.n_triples


def test_gold_seeds_stay_in_every_step_after_growth() -> None:
    sets, losses = training()
    sets.grow(1)
    assert sets.seeds_of_step(0).tolist() == [0, 3]
    (pseudo,) = sets.pseudo_batches(10)
    assert pseudo.tolist() == sets.pairs[1].tolist()
    assert float(losses.of_pseudo_pairs(pseudo).detach()) > 0


def test_pseudo_pairs_as_seeds_are_in_every_step_and_in_no_other() -> None:
    sets, _ = training(pseudo_as_seeds=True)
    sets.grow(1)
    assert sets.seeds_of_step(0).tolist() == sets.pairs.T.flatten().tolist()
    assert list(sets.pseudo_batches(10)) == []


def test_as_many_seeds_as_wanted_are_drawn_for_a_step() -> None:
    sets, _ = training(pseudo_as_seeds=True)
    sets.grow(1)
    drawn = {tuple(sets.seeds_of_step(1).tolist()) for _ in range(30)}
    assert drawn == {tuple(pair) for pair in sets.pairs.tolist()}


def plain_loss(losses: Losses, batch: tuple[Tensor, ...], seeds: Tensor) -> Tensor:
    """L_TransE + L_mcl + beta L_s of a step as the equations have it, one token per vector."""
    normal, encoder, params = torch.nn.functional.normalize, losses._encoder, losses._params
    table, relations = normal(encoder.entities), normal(encoder.relations)
    triples, other, at_head = batch
    head, relation, tail = table[triples[:, 0]], relations[triples[:, 1]], table[triples[:, 2]]
    swapped = torch.where(
        at_head.unsqueeze(1), table[other] + relation - tail, head + relation - table[other]
    )
    gaps = (head + relation - tail).square().sum(dim=1) - swapped.square().sum(dim=1)
    loss = (params.margin + gaps).clamp_min(0).sum()
    h = {}
    for name in encoder.interactions.names:
        own = table[seeds]
        if name in encoder.linear:
            layer = encoder.linear[name]
            own = normal(encoder._features[name][seeds] @ layer.weight + layer.bias)
        mfe = encoder.interactions.mfe[name]
        mixed = (own @ mfe.value) @ mfe.output.weight + mfe.output.bias
        has = encoder._present[name][seeds].unsqueeze(1)
        h[name] = normal(own + mixed) * has
    cmae = encoder.interactions.cmae
    assert cmae is not None
    enriched = []
    for name, own in h.items():
        weights, total = torch.softmax(cmae.logits[name], dim=0), 0.0
        sources = [source for source in h if source != name]
        for weight, source in zip(weights[1:], [*sources, "fused"], strict=True):
            part = cmae.attention[f"{name} {source}"]
            mixed = (own @ part.value) @ part.output.weight + part.output.bias
            total = total + weight * mixed
            if source != "fused":
                products = ((own - mixed) * h[source]).mean(dim=1)
                loss = loss + params.beta * products.square().mean()
        enriched.append(weights[0] * own + total)
    n = len(seeds) // 2
    for name, rows in {"joint": torch.cat(enriched, dim=1), **h}.items():
        source, target = rows[:n], rows[n:]
        if name != "joint":
            both = (source.abs().sum(dim=1) > 0) & (target.abs().sum(dim=1) > 0)
            source, target = source[both], target[both]
        products, own_pair = source @ target.T, torch.eye(len(source), dtype=torch.bool)
        # Each partner weighs as one of 51.
        pulled = (params.contrastive_margin - products[own_pair]).clamp_min(0).square().mean()
        pushed = products[~own_pair].square().mean() if len(source) > 1 else torch.zeros(())
        loss = loss + (pulled + params.negatives * pushed) / (2 * (1 + params.negatives))
    return loss


def test_the_loss_and_gradients_of_a_step_equal_the_written_out_equations() -> None:
    sets, losses = training({"dmmg": False, "beta": 3.0}, pseudo_as_seeds=True)
    sets.grow(1)
    seeds = sets.seeds_of_step(0)
    assert len(seeds) == 4
    (batch,) = sets.triple_batches(1000)
    results = []
    for loss in (losses.of_triples(*batch, seeds, sets.n_with), plain_loss(losses, batch, seeds)):
        losses._encoder.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        named = losses._encoder.named_parameters()
        results.append({name: part.grad.clone() for name, part in named if part.grad is not None})
        results[-1]["loss"] = loss.detach()
    fast, plain = results
    assert set(plain) <= set(fast)
    for name, value in plain.items():
        torch.testing.assert_close(fast[name], value, rtol=1e-4, atol=1e-5)


def test_drawn_entities_estimate_the_means_over_all_without_bias() -> None:
    settings = {"alpha": 3.0, "vae_sample": 0, "entity_batch": 0}
    _, whole = training(settings)
    _, drawn = training({**settings, "entity_batch": 2})
    torch.manual_seed(0)
    single = {name: torch.randn(4, 4) for name in ("image", "structure", "attribute")}
    present = {name: torch.ones(4, dtype=torch.bool) for name in single}
    generation = drawn._encoder.interactions.generation
    assert generation is not None
    everyone = whole._sample(single, present)
    assert all(torch.equal(rows, single[name]) for name, rows in everyone[0].items())
    expected = torch.stack(generation.losses(*everyone, None)).sum()
    found = []
    for _ in range(300):
        some = drawn._sample(single, present)
        assert all(len(rows) == 2 for rows in some[0].values())
        found.append(float(sum(part.detach() for part in generation.losses(*some, None))))
    assert sum(found) / 300 == pytest.approx(float(expected.detach()), rel=0.05)


def test_what_is_drawn_for_the_vaes_stems_from_seeds_and_others_alike() -> None:
    _, losses = training({"vae_sample": 4, "entity_batch": 3})
    marked = {name: torch.full((4, 4), 9.0) for name in ("image", "structure", "attribute")}
    present = {name: torch.ones(4, dtype=torch.bool) for name in marked}
    shares = []
    for _ in range(200):
        vectors, have = losses._sample(marked, present)
        assert all(len(has) == 3 for has in have.values())
        shares.append(float((vectors["structure"] == 9.0).all(dim=1).float().mean()))
    assert sum(shares) / 200 == pytest.approx(0.5, abs=0.06)


SMALL = {"text_encoder": "hashed", "batch_size": 10_000, "vae_sample": 3, "dim": 20, "latent": 4}


@pytest.mark.parametrize(("variant", "trained"), [("full", 9), ("w/o IT", 2)])
def test_no_plateau_ends_a_training_before_its_second_round(variant: str, trained: int) -> None:
    ctx = RunContext(rng_seed=1, monitor=lambda epoch, *_: -epoch, eval_every=1, patience=1)
    overrides = {**SMALL, "epochs": 10, "iterative_every": 3}
    CLAMEA.configure("clamea", variant, overrides).fit(small_view(), ctx)
    # Rounds follow epochs 3 and 6; the last one that counts is the whole round after the second.
    assert ctx.log.epochs == trained


def test_all_pseudo_pairs_make_one_step(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    steps = 0

    def step(self: torch.optim.Adam, closure: object = None) -> None:
        nonlocal steps
        steps += 1

    def batches(self: TrainingSets, batch_size: int) -> Iterator[Tensor]:
        sizes.append(batch_size)
        yield from (torch.tensor([0, 3]), torch.tensor([1, 4]), torch.tensor([2, 4]))

    monkeypatch.setattr(torch.optim.Adam, "step", step)
    monkeypatch.setattr(TrainingSets, "pseudo_batches", batches)
    method = CLAMEA.configure("clamea", overrides={**SMALL, "epochs": 2})
    method.fit(small_view(), RunContext(rng_seed=1))
    # One of the only batch of triples and one of the three chunks in each epoch.
    assert (len(sizes), steps) == (2, 4)


def test_every_parameter_but_those_without_influence_gets_a_gradient() -> None:
    sets, losses = training()
    (batch,) = sets.triple_batches(1000)
    loss = losses.of_triples(*batch, sets.seeds_of_step(0), sets.n_with)
    loss.backward()  # type: ignore[no-untyped-call]
    parameters = losses._encoder.named_parameters()
    silent = {name for name, parameter in parameters if parameter.grad is None}
    # Everyone has attributes here and both seeds images: nothing has to be generated.
    assert all("fusions" in name for name in silent)
