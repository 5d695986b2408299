"""The CLIP baselines: loss, heads, mixtures of similarities, and towers read from a folder."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from mmea_bench.datasets.core.errors import UserError
from mmea_bench.datasets.core.model.graph import text_array
from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.methods.clip_mmea import ClipMMEA
from mmea_bench.methods.core.base import Embeddings, RunContext
from mmea_bench.methods.core.inputs import clip_towers
from mmea_bench.methods.core.inputs.clip_towers import image_settings, pixel_values, tower_features
from mmea_bench.methods.core.inputs.node_sets import NodeSets
from mmea_bench.methods.core.losses.batch import symmetric_contrastive_loss
from mmea_bench.methods.parts.clip.clip_heads import ClipHeads, ClipParams, KnownPairs
from mmea_bench.methods.se_clip_mmea import SEClipMMEA, mixed_embeddings
from mmea_bench.methods.se_clip_mmea_plus import MergedEncoder, SEClipMMEAPlus, SEClipPlusParams
from tests.methods.nmmkg_views import N_SOURCE, nmmkg_view

SMALL = {"dim": 6, "epochs": 4}


def unit_rows(n_rows: int, dim: int, seed: int) -> torch.Tensor:
    return normalize(torch.randn(n_rows, dim, generator=torch.Generator().manual_seed(seed)), dim=1)


def written_out_loss(
    source: torch.Tensor, target: torch.Tensor, scale: float, known: set[tuple[int, int]]
) -> float:
    total, size = 0.0, len(source)
    for i in range(size):
        own = scale * float(source[i] @ target[i])
        row = [
            scale * float(source[i] @ target[j])
            for j in range(size)
            if j == i or (i, j) not in known
        ]
        column = [
            scale * float(source[j] @ target[i])
            for j in range(size)
            if j == i or (j, i) not in known
        ]
        for logits in (row, column):
            total += math.log(sum(math.exp(logit) for logit in logits)) - own
    return total / (2 * size)


def test_symmetric_loss_equals_the_sum_written_out() -> None:
    source, target = unit_rows(5, 3, 1), unit_rows(5, 3, 2)
    found = symmetric_contrastive_loss(source, target, 7.0)
    assert float(found) == pytest.approx(written_out_loss(source, target, 7.0, set()), abs=1e-5)


def test_symmetric_loss_by_hand() -> None:
    vectors = torch.eye(2)
    # Each row has the logits 2 (its partner) and 0.
    expected = math.log(math.exp(2) + 1) - 2
    assert float(symmetric_contrastive_loss(vectors, vectors, 2.0)) == pytest.approx(expected)


def test_known_pairs_are_no_negatives() -> None:
    source, target = unit_rows(4, 3, 3), unit_rows(4, 3, 4)
    cells = {(0, 0), (0, 2), (3, 1), (3, 3)}
    known = torch.tensor(sorted(cells)).T
    found = symmetric_contrastive_loss(source, target, 5.0, known)
    assert float(found) == pytest.approx(written_out_loss(source, target, 5.0, cells), abs=1e-5)


def test_known_cells_of_a_batch() -> None:
    pairs = np.array([[0, 10], [0, 11], [1, 11], [2, 12]])
    batch = pairs[[1, 3, 0]]
    found = set(map(tuple, KnownPairs(pairs, 13).cells(batch).T.tolist()))
    known = set(map(tuple, pairs.tolist()))
    assert found == {
        (i, j) for i in range(3) for j in range(3) if (batch[i, 0], batch[j, 1]) in known
    }


def test_heads_map_standardised_vectors_by_modality() -> None:
    view, ctx = nmmkg_view(), RunContext(rng_seed=1)
    heads, nodes = ClipHeads(view, ClipParams(dim=6), ctx), NodeSets.of(view)
    found = heads(all_rows=True)
    for modality, ids in nodes.ids.items():
        head = heads.heads[modality]
        expected = nodes.standardised(view, modality) @ head.weight + head.bias
        torch.testing.assert_close(found[torch.from_numpy(ids)], normalize(expected, dim=1))


def test_chosen_rows_equal_the_rows_of_all() -> None:
    heads = ClipHeads(nmmkg_view(), ClipParams(dim=6), RunContext(rng_seed=1))
    rows = torch.tensor([17, 2, 0, 5, 25, 3])
    heads.prepare(rows)
    torch.testing.assert_close(heads(all_rows=False), heads(all_rows=True)[rows])


def test_merged_vectors_of_chosen_rows_equal_those_of_all() -> None:
    encoder = MergedEncoder(nmmkg_view(), SEClipPlusParams(dim=6), RunContext(rng_seed=1))
    rows = torch.tensor([1, 4, 14, 20])
    encoder.prepare(rows)
    chosen, everything = (encoder.encode(all_rows=flag)["merged"] for flag in (False, True))
    torch.testing.assert_close(chosen, everything[rows])


def test_merged_vectors_are_three_parts_clip_and_one_part_structure() -> None:
    encoder = MergedEncoder(nmmkg_view(), SEClipPlusParams(dim=6), RunContext(rng_seed=1))
    clip = encoder.heads(all_rows=True)
    around = normalize(encoder.structure(clip, all_rows=True), dim=1)
    expected = normalize(0.75 * clip + 0.25 * around, dim=1)
    torch.testing.assert_close(encoder.encode(all_rows=True)["merged"], expected)
    weights = encoder.embeddings().modality_weights
    assert weights == pytest.approx({"clip": 0.75, "structure": 0.25})


def test_cosine_of_a_mixture_is_the_weighted_sum_of_cosines() -> None:
    clip = unit_rows(4, 3, 5), unit_rows(5, 3, 6)
    structure = unit_rows(4, 2, 7), unit_rows(5, 2, 8)
    mixture = mixed_embeddings(clip, structure, 0.3)
    expected = 0.3 * clip[0] @ clip[1].T + 0.7 * structure[0] @ structure[1].T
    cosines = normalize(mixture.source, dim=1) @ normalize(mixture.target, dim=1).T
    torch.testing.assert_close(cosines, expected)


def test_mixture_is_chosen_by_the_monitor() -> None:
    method = SEClipMMEA.configure("se_clip_mmea", overrides=SMALL)

    def monitor(_epoch: int, _loss: float, embeddings: Embeddings) -> float | None:
        return -abs(embeddings.modality_weights["clip"] - 0.3)

    found = method.fit(nmmkg_view(), RunContext(rng_seed=1, monitor=monitor))
    assert found.modality_weights["clip"] == 0.3


@pytest.mark.parametrize("watched", [False, True])
def test_both_similarities_weigh_the_same_where_no_score_is_seen(*, watched: bool) -> None:
    method = SEClipMMEA.configure("se_clip_mmea", overrides=SMALL)
    monitor = (lambda *_: None) if watched else None
    found = method.fit(nmmkg_view(), RunContext(rng_seed=1, monitor=monitor))
    assert found.modality_weights["clip"] == 0.5


@pytest.mark.parametrize("method_type", [ClipMMEA, SEClipMMEA, SEClipMMEAPlus])
def test_training_lowers_the_loss(method_type: type[ClipMMEA]) -> None:
    losses = []
    ctx = RunContext(rng_seed=1, tick=lambda _epoch, _n, loss: losses.append(loss))
    overrides = {"dim": 6, "epochs": 20, "learning_rate": 1e-2}
    method_type.configure("method", overrides=overrides).fit(nmmkg_view(), ctx)
    assert losses[-1] < 0.7 * losses[0]


def test_log_says_that_the_datasets_vectors_stand_in() -> None:
    view, ctx = nmmkg_view(), RunContext(rng_seed=1)
    features = tower_features(view, "", "", ctx)
    assert features["image"] is view.features["image"]
    assert "stand in" in ctx.log.simulated["clip_towers"]


# Towers read from a folder.


def labelled_view() -> TrainView:
    """The small view with labels: words for texts, file names for images."""
    view = nmmkg_view()
    graphs = []
    for side, graph in enumerate((view.source, view.target)):
        visual = view.features["image"][side].present
        labels = [
            f"{graph.name}{row}.png" if is_visual else ["ab", "ba ab", "a b"][row % 3]
            for row, is_visual in enumerate(visual)
        ]
        graphs.append(replace(graph, names=text_array(labels)))
    return replace(view, source=graphs[0], target=graphs[1])


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """One picture per visual node, of uneven sizes."""
    image_module = pytest.importorskip("PIL.Image")
    folder = tmp_path / "images"
    folder.mkdir()
    view, generator = labelled_view(), np.random.default_rng(1)
    for graph in (view.source, view.target):
        for row, label in enumerate(graph.names):
            if label.endswith(".png"):
                colours = generator.integers(256, size=(9 + row, 12, 3), dtype=np.uint8)
                image_module.fromarray(colours).save(folder / label)
    return folder


@pytest.fixture
def clip_folder(tmp_path: Path) -> Path:
    """A tiny CLIP with random weights and six tokens."""
    transformers = pytest.importorskip("transformers")
    folder = tmp_path / "tiny-clip"
    folder.mkdir()
    tokens = ["a", "b", "a</w>", "b</w>", "ab</w>", "<|startoftext|>", "<|endoftext|>"]
    vocabulary = {token: row for row, token in enumerate(tokens)}
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "merges.txt").write_text("#version: 0.2\na b</w>\n")
    settings = {"tokenizer_class": "CLIPTokenizer", "model_max_length": 8}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    processor = {"size": {"shortest_edge": 10}, "crop_size": {"height": 8, "width": 8}}
    (folder / "preprocessor_config.json").write_text(json.dumps(processor))
    layers = {
        "hidden_size": 8,
        "intermediate_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
    }
    ends = {"bos_token_id": 5, "eos_token_id": 6, "pad_token_id": 6}
    config = transformers.CLIPConfig(
        text_config={**layers, **ends, "vocab_size": 7, "max_position_embeddings": 8},
        vision_config={**layers, "image_size": 8, "patch_size": 4},
        projection_dim=5,
    )
    torch.manual_seed(0)
    transformers.CLIPModel(config).save_pretrained(folder)
    return folder


def test_tower_outputs_equal_a_direct_pass(clip_folder: Path, images: Path) -> None:
    import transformers

    view = labelled_view()
    found = tower_features(view, str(clip_folder), str(images), RunContext(rng_seed=0))
    model = transformers.CLIPModel.from_pretrained(clip_folder).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(clip_folder)
    settings = image_settings(clip_folder, 8)
    for row, label in enumerate(view.source.names):
        with torch.no_grad():
            if label.endswith(".png"):
                pixels = torch.from_numpy(pixel_values(images / label, settings)).unsqueeze(0)
                state = model.vision_model(pixel_values=pixels).pooler_output
                name, expected = "image", model.visual_projection(state)[0]
            else:
                state = model.text_model(**tokenizer(label, return_tensors="pt")).pooler_output
                name, expected = "text", model.text_projection(state)[0]
        features = found[name][0]
        assert features.present[row]
        np.testing.assert_allclose(features.values[row], expected.numpy(), atol=1e-5)
    assert not (found["text"][0].present & found["image"][0].present).any()


def test_tower_outputs_are_kept(
    clip_folder: Path, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def towers() -> dict[str, np.ndarray]:
        ctx = RunContext(rng_seed=0, cache_dir=tmp_path / "cache")
        found = tower_features(labelled_view(), str(clip_folder), str(images), ctx)
        return {name: sides[1].values for name, sides in found.items()}

    first = towers()
    monkeypatch.setattr(clip_towers, "read_model_folder", None)
    second = towers()
    for name in first:
        np.testing.assert_array_equal(first[name], second[name])


def test_a_model_below_the_models_folder_is_found(
    clip_folder: Path, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MMEA_MODELS", str(clip_folder.parent))
    method = ClipMMEA.configure(
        "clip_mmea",
        overrides={**SMALL, "clip_model": clip_folder.name, "image_folder": str(images)},
    )
    ctx = RunContext(rng_seed=0)
    assert len(method.fit(labelled_view(), ctx).source) == N_SOURCE
    assert "clip_towers" not in ctx.log.simulated


def test_pixels_equal_those_of_the_library(clip_folder: Path, images: Path) -> None:
    transformers = pytest.importorskip("transformers")
    from PIL import Image

    processor = transformers.CLIPImageProcessorPil.from_pretrained(clip_folder)
    settings = image_settings(clip_folder, 8)
    for file in sorted(images.iterdir()):
        with Image.open(file) as image:
            expected = processor(image, return_tensors="np")["pixel_values"][0]
        np.testing.assert_allclose(pixel_values(file, settings), expected, atol=1e-5)


def test_a_lacking_image_is_named(clip_folder: Path, images: Path) -> None:
    (images / "s2.png").unlink()
    with pytest.raises(UserError, match=r"no image 's2\.png'"):
        tower_features(labelled_view(), str(clip_folder), str(images), RunContext(rng_seed=0))


def test_an_image_outside_its_folder_is_refused(clip_folder: Path, images: Path) -> None:
    view = labelled_view()
    labels = text_array(["../s2.png" if name == "s2.png" else name for name in view.source.names])
    view = replace(view, source=replace(view.source, names=labels))
    shutil.copy(images / "s2.png", images.parent / "s2.png")
    with pytest.raises(UserError, match="outside"):
        tower_features(view, str(clip_folder), str(images), RunContext(rng_seed=0))


def test_an_absent_model_is_a_user_error() -> None:
    with pytest.raises(UserError, match="no CLIP model 'nowhere'"):
        tower_features(labelled_view(), "nowhere", "", RunContext(rng_seed=0))
