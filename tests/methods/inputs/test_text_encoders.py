"""Pretrained text encoders: pooling, order, cache, and what happens without weights."""

from __future__ import annotations

import json
import os
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from mmea_bench.datasets.core.errors import UserError
from mmea_bench.methods.core.base import DeadlineError, RunContext
from mmea_bench.methods.core.inputs import text_encoders
from mmea_bench.methods.core.inputs.text_encoders import encoder_available, text_vectors

WORDS = ["ann", "lee", "bo", "xu", "paris", "##ian", "new", "york"]
TEXTS = ["new york", "ann", "ann lee bo xu paris new york", "", "ann", "parisian bo"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A tiny BERT with random weights."""
    transformers = pytest.importorskip("transformers")
    path = tmp_path / "tiny"
    path.mkdir()
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    (path / "vocab.txt").write_text("\n".join(vocabulary) + "\n")
    config = transformers.BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=32,
    )
    torch.manual_seed(0)
    transformers.BertModel(config).save_pretrained(path)
    tokenizer = {"tokenizer_class": "BertTokenizer", "do_lower_case": True}
    (path / "tokenizer_config.json").write_text(json.dumps(tokenizer))
    return path


def context(cache_dir: Path | None = None) -> RunContext:
    return RunContext(rng_seed=0, cache_dir=cache_dir)


def token_states(folder: Path, text: str) -> torch.Tensor:
    """States of a text's own tokens, encoded alone, by the library itself."""
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModel.from_pretrained(folder).eval()
    with torch.no_grad():
        states = model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0]
    return states[1:-1]


def test_the_tokenizer_splits_into_the_words_of_its_vocabulary(folder: Path) -> None:
    assert len(token_states(folder, "parisian bo")) == 3


def test_sum_counts_only_the_tokens_of_the_text(folder: Path) -> None:
    found = text_vectors(TEXTS, str(folder), "sum tokens", context(), batch_size=3)
    expected = torch.stack([token_states(folder, text).sum(dim=0) for text in TEXTS])
    assert torch.allclose(found, expected, atol=1e-5)


def test_mean_is_over_the_tokens_of_the_text(folder: Path) -> None:
    found = text_vectors(TEXTS[:3], str(folder), "mean tokens", context())
    expected = torch.stack([token_states(folder, text).mean(dim=0) for text in TEXTS[:3]])
    assert torch.allclose(found, expected, atol=1e-5)


def test_the_first_token_is_that_which_the_tokenizer_puts_in_front(folder: Path) -> None:
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModel.from_pretrained(folder).eval()
    found = text_vectors(TEXTS, str(folder), "first token", context())  # padded to seven words
    for row, text in enumerate(TEXTS):
        with torch.no_grad():
            states = model(**tokenizer(text, return_tensors="pt")).last_hidden_state
        torch.testing.assert_close(found[row], states[0, 0])


def test_the_first_layer_is_pooled_by_its_largest_states_special_tokens_among_them(
    folder: Path,
) -> None:
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModel.from_pretrained(folder).eval()
    found = text_vectors(TEXTS, str(folder), "max layer 1", context())  # padded to seven words
    for row, text in enumerate(TEXTS):
        with torch.no_grad():
            states = model(**tokenizer(text, return_tensors="pt"), output_hidden_states=True)
        expected = states.hidden_states[1][0].max(dim=0).values
        torch.testing.assert_close(found[row], expected)


def test_the_first_layer_is_averaged_over_the_tokens_of_the_text_alone(folder: Path) -> None:
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModel.from_pretrained(folder).eval()
    texts = ["parisian", "bo", "ann lee bo xu paris new york"]  # the others padded to seven words
    found = text_vectors(texts, str(folder), "mean layer 1", context())
    for row, text in enumerate(texts):
        with torch.no_grad():
            states = model(**tokenizer(text, return_tensors="pt"), output_hidden_states=True)
        expected = states.hidden_states[1][0, 1:-1].mean(dim=0)
        torch.testing.assert_close(found[row], expected)


def test_a_text_without_tokens_gives_zeros(folder: Path) -> None:
    assert not text_vectors(["", "bo"], str(folder), "mean tokens", context())[0].any()


def test_no_text_gives_no_row(folder: Path) -> None:
    assert text_vectors([], str(folder), "mean tokens", context()).shape == (0, 16)


def test_long_texts_are_cut(folder: Path) -> None:
    found = text_vectors(["ann lee bo xu"], str(folder), "sum tokens", context(), max_tokens=4)
    assert torch.allclose(found[0], token_states(folder, "ann lee").sum(dim=0), atol=1e-5)


def test_vectors_are_kept_and_read_again(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = text_vectors(TEXTS, str(folder), "sum tokens", context(tmp_path))
    monkeypatch.setattr(text_encoders, "_Model", None)
    second = text_vectors(TEXTS, str(folder), "sum tokens", context(tmp_path))
    assert torch.equal(first, second)
    assert [path.suffix for path in (tmp_path / "text_vectors").iterdir()] == [".npy"]


def test_other_weights_are_another_cache_entry(folder: Path, tmp_path: Path) -> None:
    import transformers

    first = text_vectors(TEXTS, str(folder), "sum tokens", context(tmp_path))
    torch.manual_seed(1)
    config = transformers.AutoConfig.from_pretrained(folder)
    transformers.BertModel(config).save_pretrained(folder)
    weights = folder / "model.safetensors"
    os.utime(weights, ns=(weights.stat().st_atime_ns, weights.stat().st_mtime_ns + 1))
    assert not torch.equal(first, text_vectors(TEXTS, str(folder), "sum tokens", context(tmp_path)))


@pytest.mark.parametrize(
    "name", ["added_tokens.json", "special_tokens_map.json", "sentencepiece.bpe.model"]
)
def test_every_file_that_may_say_how_texts_become_tokens_counts(folder: Path, name: str) -> None:
    before = text_encoders.folder_identity(folder)
    (folder / name).write_text("{}")
    assert text_encoders.folder_identity(folder) != before
    assert folder / name in text_encoders.encoder_files(str(folder))


@pytest.mark.parametrize("name", ["README.md", ".gitattributes", "tf_model.h5", "onnx"])
def test_what_is_never_read_is_not_digested(folder: Path, name: str) -> None:
    before = text_encoders.folder_identity(folder)
    if name == "onnx":
        (folder / name).mkdir()
    else:
        (folder / name).write_bytes(b"x")
    assert text_encoders.folder_identity(folder) == before


def test_plain_tensors_are_read_as_well(folder: Path) -> None:
    expected = text_vectors(TEXTS, str(folder), "sum tokens", context())
    import safetensors.torch

    state = safetensors.torch.load_file(folder / "model.safetensors")
    torch.save(state, folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    assert torch.equal(text_vectors(TEXTS, str(folder), "sum tokens", context()), expected)


class _Trap:
    """Would write a file if it were unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.path,))


@pytest.mark.parametrize(
    "write", [torch.save, lambda item, path: path.write_bytes(pickle.dumps(item))]
)
def test_weights_that_carry_code_are_refused(folder: Path, tmp_path: Path, write: object) -> None:
    (folder / "model.safetensors").unlink()
    write(_Trap(tmp_path / "ran"), folder / "pytorch_model.bin")  # type: ignore[operator]
    with pytest.raises(UserError, match="cannot be read"):
        text_vectors(TEXTS, str(folder), "sum tokens", context())
    assert not (tmp_path / "ran").exists()


def test_weights_with_a_part_lacking_are_refused(folder: Path) -> None:
    import safetensors.torch

    state = safetensors.torch.load_file(folder / "model.safetensors")
    del state["encoder.layer.0.output.dense.weight"]
    safetensors.torch.save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UserError, match="lack 1 parts"):
        text_vectors(TEXTS, str(folder), "sum tokens", context())


def test_code_of_a_model_folder_is_not_run(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "evil", "auto_map": {"AutoConfig": "evil.Config"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "evil.py").write_text("raise SystemExit")
    with pytest.raises(UserError, match="cannot be read"):
        text_vectors(TEXTS, str(folder), "sum tokens", context())


def test_a_deadline_ends_the_encoding(folder: Path) -> None:
    with pytest.raises(DeadlineError):
        text_vectors(TEXTS, str(folder), "sum tokens", RunContext(rng_seed=0, deadline=0.0))


def test_a_model_below_the_models_folder_is_found(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MMEA_MODELS", str(folder.parent))
    assert "put the Hugging Face model folder at" in (encoder_available("labse") or "")
    folder.rename(folder.parent / "LaBSE")
    assert encoder_available("labse") is None


def test_without_a_models_folder_the_sentence_says_what_to_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("transformers")
    monkeypatch.delenv("MMEA_MODELS", raising=False)
    assert "set MMEA_MODELS" in (encoder_available("bert") or "")
    with pytest.raises(UserError, match="set MMEA_MODELS"):
        text_vectors(["a"], "bert", "mean tokens", context())


def test_without_the_library_the_sentence_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    assert "mmea-bench[text]" in (encoder_available("minilm") or "")
    assert encoder_available("hashed") is None


def test_an_unknown_encoder_and_a_folder_without_weights_are_named(folder: Path) -> None:
    assert "no text encoder 'lasbe'" in (encoder_available("lasbe") or "")
    (folder / "model.safetensors").unlink()
    assert "holds no weights" in (encoder_available(str(folder)) or "")


def test_hashed_vectors_are_fixed_and_logged_as_simulated() -> None:
    ctx = context()
    found = text_vectors(["New York", "york new", "", "Paris"], "hashed", "sum tokens", ctx)
    assert found.shape == (4, 256)
    assert torch.equal(found[0], found[1])
    assert not found[2].any()
    assert "text_encoder" in ctx.log.simulated
    mean = text_vectors(["New York"], "hashed", "mean tokens", ctx)
    assert torch.equal(mean[0], found[0] / 2)
    first, new = text_vectors(["New York", "new"], "hashed", "first token", ctx)
    assert torch.equal(first, new)


def test_real_weights_put_a_paraphrase_nearest() -> None:
    if encoder_available("minilm") is not None:
        pytest.skip(str(encoder_available("minilm")))
    texts = ["the king of France", "a French monarch", "a river in Peru"]
    vectors = text_vectors(texts, "minilm", "mean tokens", context()).numpy()
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    assert vectors.shape == (3, 384)
    assert vectors[0] @ vectors[1] > 0.5 > vectors[0] @ vectors[2]
