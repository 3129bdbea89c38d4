"""One command for every kind of labels: what is learned follows from the files, and libraries agree with the table."""

from __future__ import annotations

import json
import shutil
import statistics
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import pearsonr
from seqeval.metrics import f1_score as entity_f1
from sklearn.metrics import f1_score

from freezebench.records.scores import unpack_scores
from report_schema import read_report
from task_data import TAGS, examples, write_task_data
from tiny import sentences

Project = Callable[..., pytest.Pytester]
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread", "without_matplotlib")]
SIZES = {"train": 96, "validation": 32, "test": 80}
LEARNT = 0.3  # a value that no guess reaches
OPTIONS = ("--freeze-epochs=8", "--freeze-lr=0.02", "--freeze-report=report")


def _write(folder: Path, ending: str, rows_of: Callable[[int, int], Iterator[str]]) -> Path:
    """Write three splits; ``rows_of`` takes the number of examples and a seed."""
    folder.mkdir()
    for seed, (name, num) in enumerate(SIZES.items()):
        (folder / f"{name}.{ending}").write_text("".join(rows_of(num, seed)), encoding="utf-8")
    return folder


def _unbalanced(num: int, seed: int) -> Iterator[str]:
    """Three classes with 55, 30 and 15 % of the examples."""
    balanced = sentences(3 * num, 3, seed)
    for number, (name, share) in enumerate({"news": 0.55, "sport": 0.3, "other": 0.15}.items()):
        texts = [text for text, label in balanced if label == number]
        yield from (json.dumps({"text": text, "label": name}) + "\n" for text in texts[: round(share * num)])


def _pairs(num: int, seed: int) -> Iterator[str]:
    """Two texts and a number that follows from the words of both."""
    for (text,), score in examples("regression", num, seed):
        words = text.split()
        first, second = " ".join(words[: len(words) // 2]), " ".join(words[len(words) // 2 :])
        yield json.dumps({"first": first, "second": second, "score": score}) + "\n"


def _conll(num: int, seed: int) -> Iterator[str]:
    for words, tags in examples("token-classification", num, seed):
        yield "".join(f"{word}\t{TAGS[tag]}\n" for word, tag in zip(words, tags, strict=True)) + "\n"


WRITE: dict[str, Callable[[Path], Path]] = {
    "unbalanced": lambda folder: _write(folder, "jsonl", _unbalanced),
    "pairs": lambda folder: _write(folder, "jsonl", _pairs),
    "several labels": lambda folder: write_task_data(folder, "multi-label", (96, 32, 80)),
    "tags": lambda folder: write_task_data(folder, "token-classification", (96, 32, 80)),
    "conll": lambda folder: _write(folder, "conll", _conll),
}

METRIC_AND_OPTIONS = {
    "unbalanced": ("macro F1", "--freeze-metric=macro-f1"),
    "pairs": ("Pearson correlation", "--freeze-text-column=first,second", "--freeze-label-column=score"),
    "several labels": ("macro F1",),
    "tags": ("entity F1",),
    "conll": ("entity F1",),
}


def _value(run: Any) -> float:
    """Compute the metric of a run from its recorded scores, by the library that has it."""
    data = run["data"]
    task, names = data["task"], data["label_names"]
    truth = np.array(data["test_values"] or data["test_labels"])
    num_rows = len(truth) // (len(names) if task == "multi-label" else 1)
    scores = unpack_scores(run["test"]["scores"], num_rows, len(names))
    if task == "regression":
        return float(pearsonr(truth, scores[:, 0])[0])
    if task == "multi-label":
        return float(f1_score(truth.reshape(scores.shape), scores > 0, average="macro"))
    predictions = scores.argmax(axis=1)
    if task == "sequence-classification":
        return float(f1_score(truth, predictions, average="macro"))
    ends = np.cumsum(data["test_lengths"])[:-1]
    tags = [[list(part) for part in np.split(np.array(names)[rows], ends)] for rows in (truth, predictions)]
    return float(entity_f1(*tags))


@pytest.fixture(scope="module")
def encoder(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint that says of no task that it was fine-tuned for it, as pretrained encoders do."""
    folder = tmp_path_factory.mktemp("encoder") / "model"
    shutil.copytree(tiny_model, folder)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps(config | {"architectures": ["DistilBertModel"]}), encoding="utf-8")
    return folder


@pytest.mark.parametrize("kind", WRITE)
def test_one_command_judges_labels_of_every_kind(project: Project, encoder: Path, tmp_path: Path, kind: str) -> None:
    """The options name columns and metric, where they are not the usual ones."""
    folder, (metric, *options) = WRITE[kind](tmp_path / "data"), METRIC_AND_OPTIONS[kind]
    session = project("num_seeds=2, margin=60, grid='none,emb'")
    result = session.runpytest_inprocess(f"--freeze-model={encoder}", f"--freeze-data={folder}", *options, *OPTIONS)
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines([f"* points of {metric}*"])
    report: Any = read_report(session.path / "report")
    (experiment,) = report["experiments"]
    for configuration in experiment["configurations"]:
        values = [100 * _value(run) for run in configuration["runs"]]
        assert min(values) > 100 * LEARNT
        figure = f"{statistics.fmean(values):.1f} ± *{statistics.stdev(values):.1f} "
        result.stdout.fnmatch_lines([f"{configuration['freeze']} *{figure}*"])
