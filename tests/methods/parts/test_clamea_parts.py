"""What CLAMEA trains on: losses over all combinations, swapped triples, stand-ins, texts."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping

import pytest
import torch
from torch import Tensor

from mmea_bench.methods.clamea import CLAMEA, CLAMEAParams, Losses
from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.inputs.attribute_texts import attribute_name, attribute_texts
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.inputs.graphs.triple_sets import TripleSet
from mmea_bench.methods.core.siamese.pair_losses import (
    ContrastiveForm,
    mean_square,
    modal_contrastive_loss,
    orthogonality_loss,
    squared_contrastive_loss,
)
from mmea_bench.methods.core.siamese.stand_ins import StandIns
from mmea_bench.methods.core.siamese.training_sets import SetForm, TrainingSets
from mmea_bench.methods.core.siamese.translation import BatchEntities, Triples, translation_loss
from mmea_bench.methods.parts.clamea.modal_encoder import ModalEncoder, modality_inputs
from tests.methods.small_graphs import small_view


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


def test_translation_loss_by_hand() -> None:
    entities = torch.tensor([[1.0, 1.0], [0.0, 0.0], [2.0, 0.0], [0.0, 3.0]])
    ends = (torch.tensor([0, 1]), torch.tensor([1, 1]), torch.tensor([2, 3]))
    at_head = torch.tensor([True, False])
    batch = Triples(ends, torch.tensor([0, 0]), at_head)
    # 1 + 2 - 4 < 0 and 1 + 0 - 9 < 0 vanish; with margin 3 the first leaves 1.
    assert float(translation_loss(entities, torch.zeros(1, 2), batch, 1.0)) == 0.0
    assert float(translation_loss(entities, torch.zeros(1, 2), batch, 3.0)) == 1.0


@pytest.mark.parametrize("block", [25, 7])
def test_translation_of_batch_entities_equals_the_whole_table(
    block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mmea_bench.methods.core.siamese.translation._BLOCK", block)
    torch.manual_seed(0)
    tables = [torch.randn(size, 5, dtype=torch.float64) for size in (30, 4)]
    head, tail, other = torch.randint(0, 20, (3, 25))
    kinds, at_head = torch.randint(0, 4, (25,)), torch.rand(25) < 0.5
    results = []
    for fast in (True, False):
        entities, relations = (table.clone().requires_grad_() for table in tables)
        if fast:
            used = BatchEntities(torch.cat([head, tail, other]), entities)
            batch = used.triples(head, tail, other, kinds, at_head)
            loss = translation_loss(used.vectors, relations, batch, 1.0)
        else:
            unit = torch.nn.functional.normalize(entities, dim=1)
            h, t, o, r = unit[head], unit[tail], unit[other], relations[kinds]
            swapped = torch.where(at_head.unsqueeze(1), o + r - t, h + r - o)
            gaps = (h + r - t).square().sum(dim=1) - swapped.square().sum(dim=1)
            assert 0 < int((gaps < -1).sum()) < 25  # both sides of the hinge occur
            loss = (1.0 + gaps).clamp_min(0).sum()
        (3 * loss).backward()  # type: ignore[no-untyped-call]
        results.append([loss.detach(), entities.grad, relations.grad])
    for found, expected in zip(*results, strict=True):
        torch.testing.assert_close(found, expected)


def test_stand_ins_come_from_the_same_graph_and_are_no_known_triple() -> None:
    view = small_view()
    graph = JointGraph.of(view)
    known = TripleSet.of(graph)
    triples = {tuple(triple) for triple in known.triples.tolist()}
    sampler = StandIns(known, graph)
    generator = torch.Generator().manual_seed(2)
    heads = 0
    for _ in range(10):
        drawn, replaces_head = sampler.draw(generator)
        heads += int(replaces_head.sum())
        for (head, relation, tail), side, entity, at_head in zip(
            known.triples.tolist(),
            known.from_source,
            drawn.tolist(),
            replaces_head.tolist(),
            strict=True,
        ):
            assert (entity < graph.n_source) == side
            corrupted = (entity, relation, tail) if at_head else (head, relation, entity)
            # The target KG has two entities, so a stand-in can always avoid the known triple.
            assert corrupted not in triples
    assert 10 < heads < 40


def test_attribute_texts_by_hand() -> None:
    assert attribute_texts(small_view().source) == [
        "born is 1, born is 1",
        "born is 1",
        "height is 1",
    ]


def test_attribute_names_are_the_end_of_their_uri() -> None:
    assert attribute_name("http://dbpedia.org/ontology/birth_date") == "birth date"
    assert attribute_name("http://rdf.freebase.com/ns/museum.opened") == "museum opened"
    assert attribute_name("<http://www.w3.org/2000/01/rdf-schema#label>") == "label"


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


@pytest.mark.parametrize(("variant", "trained"), [("full", 7), ("w/o IT", 2)])
def test_no_plateau_ends_a_training_before_its_second_round(variant: str, trained: int) -> None:
    ctx = RunContext(rng_seed=1, monitor=lambda epoch, *_: -epoch, eval_every=1, patience=1)
    overrides = {**SMALL, "epochs": 9, "iterative_every": 3}
    CLAMEA.configure("clamea", variant, overrides).fit(small_view(), ctx)
    # Rounds follow epochs 3 and 6; the first evaluation that counts is the one after the second.
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
