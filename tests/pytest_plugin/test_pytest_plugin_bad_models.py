"""Each kind of model that cannot be trained ends with its own sentence and exit code 4, before anything trains."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer

Project = Callable[..., pytest.Pytester]


def rewrite(**changes: Any) -> Callable[[Path], Any]:
    """Return a function that changes fields of config.json."""

    def change(folder: Path) -> None:
        path = folder / "config.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))

    return change


def pickled(folder: Path) -> None:
    """Leave the weights as a pickle only."""
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def trainer_output(folder: Path) -> None:
    """Move the model to a checkpoint of a training, behind an older one."""
    for number in (3, 12):
        (folder / f"checkpoint-{number}").mkdir()
        shutil.copy(folder / "config.json", folder / f"checkpoint-{number}")
    (folder / "config.json").unlink()


def adapter(folder: Path) -> None:
    """Leave an adapter in place of the model."""
    (folder / "config.json").unlink()
    (folder / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "bert-base-uncased"}))


def index_outside(folder: Path) -> None:
    """Name a weight file of another folder."""
    (folder / "model.safetensors").unlink()
    index = {"weight_map": {"w": "../model/model.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def long_header(folder: Path) -> None:
    """Claim a header of 2^40 bytes, in a file that is long enough."""
    with (folder / "model.safetensors").open("wb") as file:
        file.write((2**40 - 8).to_bytes(8, "little"))
        file.truncate(2**40)


def folder_of_weights(folder: Path) -> None:
    """Put a folder in the place of the weights."""
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").mkdir()


def fifo(folder: Path) -> None:
    """Put a FIFO in the place of the configuration, on which reading would wait."""
    (folder / "config.json").unlink()
    os.mkfifo(folder / "config.json")


def truncated(folder: Path) -> None:
    """Cut the weights."""
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-7])


MODELS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "a pickle": (pickled, "*weights only as pytorch_model.bin, a pickle, * Convert it once, its head included, *"),
    "a trainer's output": (trainer_output, "*Give one of them: --freeze-model=bad/checkpoint-12 is the newest of 2."),
    "an adapter": (
        adapter,
        "*has an adapter (adapter_config.json) for bert-base-uncased, *--freeze-model=./bad-merged*",
    ),
    "several labels": (
        rewrite(problem_type="multi_label_classification"),
        "*multi-label (the task that the model's head was fine-tuned for) *Use --freeze-task=sequence-classification*",
    ),
    "tags": (
        rewrite(architectures=["DistilBertForTokenClassification"]),
        "*token-classification (the task that the model's head was fine-tuned for) *--freeze-task=sequence-class*",
    ),
    "answers": (
        rewrite(architectures=["DistilBertForQuestionAnswering"]),
        "*fine-tuned for question answering (DistilBertForQuestionAnswering), *--freeze-model=./bad-encoder.",
    ),
    "encoder and decoder": (rewrite(is_encoder_decoder=True), "*that it has an encoder and a decoder, *"),
    "an index that leads outside": (index_outside, "*names '../model/model.safetensors', which is no file of its *"),
    "a long header": (long_header, "*model.safetensors is not a safetensors file, or only its beginning *"),
    "a folder of weights": (
        folder_of_weights,
        "*model.safetensors is not a file. Fetch or write the checkpoint again.",
    ),
    "cut weights": (truncated, "*model.safetensors is incomplete or damaged: it has * bytes, its header declares *"),
    "brackets": (
        lambda folder: (folder / "config.json").write_text("[" * 100_000),
        "*config.json cannot be read: it is nested too deeply. Fetch or write it again.",
    ),
    "a FIFO": (fifo, "*config.json is no regular file. Fetch or write it again."),
    "many layers": (
        rewrite(n_layers=10**9),
        "cannot read the depth of 'bad': n_layers in its config.json is 1000000000*",
    ),
    "a vast width": (rewrite(dim=10**9), "*describes an encoder of * parameters, but its weights have *"),
    "a negative vocabulary": (rewrite(vocab_size=-5), "*cannot make the model that its config.json describes *"),
    "fewer layers": (rewrite(n_layers=1), "*weights have layers that its config.json, with 1 layers, leaves out*"),
}


@pytest.mark.parametrize("name", MODELS)
def test_bad_models(project: Project, tiny_model: Path, name: str) -> None:
    """The message names the file, what is wrong and what to do."""
    change, message = MODELS[name]
    session = project()
    change(Path(shutil.copytree(tiny_model, session.path / "bad")))
    result = session.runpytest_inprocess("--freeze-model=bad")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {message}"])


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("m" * 300, f"cannot load the model '{'m' * 80}': the path cannot be read (File name too long). Give a *"),
        ("~nouser/x", "cannot load the model '~nouser/x': there is no home folder of such a user. Give the path *"),
    ],
)
def test_names_that_are_no_paths(project: Project, model: str, message: str) -> None:
    """They end as other names do."""
    result = project().runpytest_inprocess(f"--freeze-model={model}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {message}"])


def test_tokens_without_an_embedding(project: Project, tiny_model: Path, tiny_data: Path) -> None:
    """Texts that hold one are named before anything trains; tokens that no text holds are no fault."""
    session = project("num_seeds=1, grid='none'")
    model, data = session.path / "added", session.path / "data"
    shutil.copytree(tiny_model, model)
    shutil.copytree(tiny_data, data)
    tokenizer: Any = AutoTokenizer.from_pretrained(model)
    tokenizer.add_tokens([f"<new{number}>" for number in range(60)])
    tokenizer.save_pretrained(model)
    arguments = ("--freeze-model=added", "--freeze-data=data")
    assert session.runpytest_inprocess(*arguments).ret != pytest.ExitCode.USAGE_ERROR
    with (data / "test.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps({"text": "a <new59> film", "label": 1}) + "\n")
    result = session.runpytest_inprocess(*arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["ERROR: data/test.jsonl, line 41: 1 text holds tokens without an embedding: '<new59>' (id *). *"]
    )


@pytest.mark.parametrize(
    ("architecture", "plan", "summary"),
    [
        ("DistilBertForSequenceClassification", "the head is that of bert, which was fine-tuned for 2 classes", None),
        (
            "DistilBertModel",
            "the head is new, initialized by the seed of each run, since bert has none",
            "Head: new, *",
        ),
    ],
)
def test_a_new_head_is_announced(
    project: Project, tiny_model: Path, architecture: str, plan: str, summary: str | None
) -> None:
    """In the plan, by the configuration file, and in the summary, by what loading showed."""
    import transformers

    session = project("num_seeds=1, grid='none'")
    model = session.path / "bert"
    shutil.copytree(tiny_model, model)
    make: Any = getattr(transformers, architecture)
    make.from_pretrained(model).save_pretrained(model)
    result = session.runpytest_inprocess("--freeze-model=bert")
    result.stdout.fnmatch_lines([f"freezebench: {plan}"])
    if summary is None:
        result.stdout.no_fnmatch_line("Head: *")
    else:
        result.stdout.fnmatch_lines([summary])
