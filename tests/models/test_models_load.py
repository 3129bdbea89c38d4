"""Loading models: what comes out, and one sentence for each way in which it cannot."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers.utils.logging
from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars  # type: ignore[attr-defined]

from freezebench.errors import DataError, ModelError
from freezebench.models.load import load_model, quiet
from tiny import SMALL_BERT

LOG: Any = transformers.utils.logging


@pytest.fixture
def folder(tiny_model: Path, tmp_path: Path) -> Path:
    """A checkpoint folder to damage."""
    return Path(shutil.copytree(tiny_model, tmp_path / "checkpoint"))


def rewrite(folder: Path, **changes: Any) -> None:
    """Change fields of config.json."""
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def save(folder: Path, family: str, task: str, **options: Any) -> None:
    """Replace the model in a folder by another one of random weights."""
    config = getattr(transformers, f"{family}Config")(**options)
    with quiet():
        getattr(transformers, f"{family}{task}")(config).save_pretrained(folder)


def weights(folder: Path) -> Path:
    """Return the weights of a folder."""
    return folder / "model.safetensors"


def test_a_folder_gives_a_classifier_in_float32_and_its_tokenizer(tiny_model: Path) -> None:
    """The model is in evaluation mode, and all ids of the tokenizer are rows of its embeddings."""
    model, tokenizer = load_model(str(tiny_model))
    assert type(model).__name__ == "DistilBertForSequenceClassification"
    assert not model.training
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert model(**tokenizer("the film was dull", return_tensors="pt").convert_to_tensors()).logits.shape == (1, 2)


def test_half_precision_weights_are_loaded_in_float32(folder: Path) -> None:
    """Weights stored in 16 bits become float32."""
    model: Any = load_model(str(folder))[0]
    with quiet():
        model.half().save_pretrained(folder)
    assert {parameter.dtype for parameter in load_model(str(folder))[0].parameters()} == {torch.float32}


def test_another_number_of_labels_gets_a_new_output_layer_and_keeps_the_rest(tiny_model: Path) -> None:
    """Only the output layer is new; the same seed gives the same one and the same random state afterwards."""
    two: Any = load_model(str(tiny_model), 2)[0]
    heads, after = [], []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        three: Any = load_model(str(tiny_model), 3)[0]
        heads.append(three.classifier.weight)
        after.append(torch.rand(1))
        assert torch.equal(three.pre_classifier.weight, two.pre_classifier.weight)
    assert heads[0].shape == (3, 16)
    assert torch.equal(heads[0], heads[1])
    assert not torch.equal(heads[0], heads[2])
    assert torch.equal(after[0], after[1])


def test_a_pretrained_encoder_without_pooler_gets_a_new_one(folder: Path) -> None:
    """Pooler and classifier belong to the head: a masked-language checkpoint has neither."""
    save(folder, "Bert", "ForMaskedLM", **SMALL_BERT)
    model: Any = load_model(str(folder))[0]
    assert type(model).__name__ == "BertForSequenceClassification"


def test_label_names_are_written_to_the_configuration(tiny_model: Path) -> None:
    """Names have the order of the outputs."""
    model: Any = load_model(str(tiny_model), 3, label_names=("no", "maybe", "yes"))[0]
    assert model.config.id2label == {0: "no", 1: "maybe", 2: "yes"}
    assert model.config.label2id == {"no": 0, "maybe": 1, "yes": 2}
    assert model.config.num_labels == 3


@pytest.mark.parametrize(("num_labels", "names"), [(1, None), (2, ("a", "b", "c"))])
def test_every_class_has_one_name(tiny_model: Path, num_labels: int, names: tuple[str, ...]) -> None:
    """One class is no classification; a number of names other than that of classes is an error."""
    with pytest.raises(ModelError, match="Check the labels of the data"):
        load_model(str(tiny_model), num_labels, label_names=names)


def test_a_checkpoint_of_several_files_loads(folder: Path) -> None:
    """Large checkpoints are divided into several weight files."""
    model: Any = load_model(str(folder))[0]
    weights(folder).unlink()
    with quiet():
        model.save_pretrained(folder, max_shard_size="10KB")
    parts = sorted(folder.glob("model-*.safetensors"))
    assert len(parts) > 1
    again: Any = load_model(str(folder))[0]
    assert torch.equal(again.classifier.weight, model.classifier.weight)
    parts[1].unlink()
    with pytest.raises(ModelError, match=rf"1 of the {len(parts)} weight files .* are missing \({parts[1].name}\)"):
        load_model(str(folder))


def test_decoders_pad_with_their_end_token(folder: Path) -> None:
    """A tokenizer without padding token gets one, and the model's configuration has its id."""
    save(folder, "GPT2", "LMHeadModel", vocab_size=64, n_embd=16, n_head=2, n_layer=2, n_positions=64)
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    settings.update({"pad_token": None, "eos_token": "[SEP]"})
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    model: Any
    model, tokenizer = load_model(str(folder))
    assert tokenizer.pad_token == "[SEP]"  # noqa: S105 - no password
    assert model.config.pad_token_id == tokenizer.pad_token_id
    batch = tokenizer(["the film", "dull"], padding=True, return_tensors="pt")
    assert model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits.shape == (2, 2)


def no_tokenizer(folder: Path) -> None:
    """Delete the tokenizer's files: transformers would make an empty tokenizer."""
    for path in (*folder.glob("tokenizer*"), folder / "vocab.txt"):
        path.unlink()


def fewer_rows(folder: Path) -> None:
    """Save a model with fewer embeddings than the tokenizer has ids."""
    save(folder, "Bert", "ForSequenceClassification", **{**SMALL_BERT, "vocab_size": 8})


DAMAGE: dict[str, tuple[Callable[[Path], Any], str]] = {
    "no config": (lambda folder: (folder / "config.json").unlink(), "has no config.json"),
    "broken config": (lambda folder: (folder / "config.json").write_text("{"), "config.json cannot be read"),
    "list as config": (lambda folder: (folder / "config.json").write_text("[]"), "holds no JSON object"),
    "no model type": (lambda folder: (folder / "config.json").write_text("{}"), "names no model_type"),
    "unknown architecture": (lambda folder: rewrite(folder, model_type="xyz"), "has no architecture 'xyz'"),
    "no classifier": (lambda folder: rewrite(folder, model_type="vit"), "no sequence classifier of architecture 'vit'"),
    "bad field": (lambda folder: rewrite(folder, dim="wide"), "cannot use its config.json: .*dim"),
    "impossible": (lambda folder: rewrite(folder, n_heads=3), "ValueError: .*divide"),
    "remote code": (lambda folder: rewrite(folder, auto_map={"AutoModel": "m.X"}), "code of its own .*never run"),
    "quantized": (lambda folder: rewrite(folder, quantization_config={"bits": 4}), "quantized and cannot be"),
    "other width": (lambda folder: rewrite(folder, dim=32), r"has shape \(16,\) in its weights, but \(32,\)"),
    "more layers": (lambda folder: rewrite(folder, n_layers=3), "lack 16 parameters of the encoder, such as .*layer.2"),
    "pickle": (
        lambda folder: weights(folder).rename(folder / "pytorch_model.bin"),
        "only as pytorch_model.bin.*pickle",
    ),
    "no weights": (lambda folder: weights(folder).unlink(), "has no model.safetensors"),
    "empty weights": (lambda folder: weights(folder).write_bytes(b""), "is not a safetensors file"),
    "cut weights": (
        lambda folder: weights(folder).write_bytes(weights(folder).read_bytes()[:-100]),
        r"incomplete or damaged: it has \d+ bytes, its header declares \d+",
    ),
    "cut header": (
        lambda folder: weights(folder).write_bytes(weights(folder).read_bytes()[:100]),
        "only its beginning",
    ),
    "pointer": (
        lambda folder: weights(folder).write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n"),
        "git lfs pull",
    ),
    "no tokenizer": (no_tokenizer, "has no tokenizer"),
    "broken tokenizer": (lambda folder: (folder / "tokenizer.json").write_text("{}"), "cannot load the tokenizer"),
    "other tokenizer": (fewer_rows, "its tokenizer gives ids up to 26, but its embeddings have 8 rows"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_checkpoint_is_refused_in_one_line(folder: Path, damage: str) -> None:
    """The message gives the folder, the fault and what to do."""
    change, message = DAMAGE[damage]
    change(folder)
    with pytest.raises(ModelError, match=message) as caught:
        load_model(str(folder))
    assert str(folder) in str(caught.value)
    assert str(caught.value).endswith((".", "`"))
    assert "\n" not in str(caught.value)


def test_loading_prints_nothing(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """There are no progress bars and no loading report, even if head and labels are new."""
    load_model(str(folder), 3)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("bars", [True, False])
@pytest.mark.parametrize("level", [LOG.INFO, LOG.WARNING])
def test_quiet_restores_the_settings(bars: bool, level: int) -> None:
    """Verbosity and progress bars of both libraries are restored; a level other than the default is not changed."""
    before = LOG.get_verbosity(), are_progress_bars_disabled()
    try:
        LOG.set_verbosity(level)
        (enable_progress_bars if bars else disable_progress_bars)()
        with quiet():
            assert LOG.get_verbosity() == (LOG.ERROR if level == LOG.WARNING else level)
            assert are_progress_bars_disabled()
            assert not LOG.is_progress_bar_enabled()
        assert LOG.get_verbosity() == level
        assert are_progress_bars_disabled() is not bars
        assert LOG.is_progress_bar_enabled()
    finally:
        LOG.set_verbosity(before[0])
        (disable_progress_bars if before[1] else enable_progress_bars)()


FACTORIES = """
import torch
from freezebench.errors import DataError

def good(num_labels):
    return torch.nn.Linear(2, num_labels), str.split

def half(num_labels):
    model = torch.nn.BatchNorm1d(num_labels).half()
    model.weight.requires_grad_(False)
    return model.register_buffer("ids", torch.arange(3)) or model, str.split

def swapped(num_labels):
    return str.split, torch.nn.Linear(2, num_labels)

def alone(num_labels):
    return torch.nn.Linear(2, num_labels)

def failing(num_labels):
    raise RuntimeError("no such file")

def knowing(num_labels):
    raise DataError("said by us")

number = 3
"""


@pytest.fixture
def factories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a module of factories."""
    (tmp_path / "freezebench_factories.py").write_text(FACTORIES)
    monkeypatch.syspath_prepend(tmp_path)
    return "freezebench_factories"


def test_a_factory_makes_model_and_tokenizer(factories: str) -> None:
    """``module:factory`` is called with the number of classes, and its model and tokenizer are returned."""
    model, tokenizer = load_model(f"{factories}:good", 5, label_names="abcde")
    assert isinstance(model, torch.nn.Linear)
    assert model.out_features == 5
    assert tokenizer is str.split


def test_half_precision_weights_of_a_factory_become_float32(factories: str) -> None:
    """Whole numbers and ``requires_grad`` stay as they are, and the model is in evaluation mode."""
    model: Any = load_model(f"{factories}:half", 4)[0]
    assert not model.training
    kinds = {name: tensor.dtype for name, tensor in model.state_dict().items()}
    whole = {"ids", "num_batches_tracked"}
    assert {name for name, kind in kinds.items() if kind is torch.int64} == whole
    assert {name for name, kind in kinds.items() if kind is torch.float32} == set(kinds) - whole
    assert [parameter.requires_grad for parameter in model.parameters()] == [False, True]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("swapped", "returns a tuple of .*, Linear"),
        ("alone", "returns a Linear"),
        ("failing", "the factory fails with RuntimeError: no such file"),
        ("number", "number is a int, not a function"),
        ("nothing", "no attribute 'nothing'"),
    ],
)
def test_a_factory_that_fails_is_refused(factories: str, name: str, message: str) -> None:
    """The message quotes the factory's error or the type of its result."""
    with pytest.raises(ModelError, match=message):
        load_model(f"{factories}:{name}")


def test_freezebench_errors_of_a_factory_are_passed_on(factories: str) -> None:
    """Errors of freezebench are not wrapped a second time."""
    with pytest.raises(DataError, match=r"^said by us$"):
        load_model(f"{factories}:knowing")
