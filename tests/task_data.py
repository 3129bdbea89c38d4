"""Made-up data of every task, in the words of the tiny checkpoint: a word determines its class, label or number."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

from tiny import WORDS, sentences

if TYPE_CHECKING:
    from pathlib import Path

    from freezebench.data.splits import Split
    from freezebench.specs.names import TaskName

TAGS = ("O", "B-BAD", "B-GOOD", "B-PLAIN")
LABELS = ("bad", "good", "plain")
NAMES: dict[TaskName, tuple[str, ...]] = {
    "sequence-classification": ("False", "True"),
    "regression": ("label",),
    "multi-label": LABELS,
    "token-classification": TAGS,
}
_CLASS_OF = {word: number for number, words in WORDS.items() for word in words}


def examples(task: TaskName, num: int, seed: int = 0) -> list[tuple[tuple[str, ...], Any]]:
    """Return texts, or words, and labels as ``Split`` has them."""
    draw = random.Random(seed)  # noqa: S311 - test data
    made: list[tuple[tuple[str, ...], Any]] = []
    for text, _ in sentences(num, 3, seed):
        words = text.split()
        words += draw.choices(list(_CLASS_OF), k=draw.randint(0, 2))
        draw.shuffle(words)
        classes = [_CLASS_OF.get(word) for word in words]
        if task == "token-classification":
            # A word of three tokens: the tokenizer cuts at hyphens.
            parts = [f"{word}-film" if draw.random() < 0.3 else word for word in words]
            made.append((tuple(parts), tuple(0 if number is None else 1 + number for number in classes)))
        elif task == "multi-label":
            made.append(((" ".join(words),), tuple(int(number in classes) for number in range(len(LABELS)))))
        elif task == "regression":
            made.append(((" ".join(words),), classes.count(1) - classes.count(0) + 0.3))
        else:
            made.append(((" ".join(words),), int(classes.count(1) > classes.count(0))))
    return made


def split(task: TaskName, num: int, seed: int = 0) -> Split:
    """Return made-up sentences as a split."""
    from freezebench.data.splits import Split

    texts, labels = zip(*examples(task, num, seed), strict=True)
    return Split(texts=texts, labels=labels, task=task)


def write_task_data(folder: Path, task: TaskName, sizes: tuple[int, int, int] = (32, 16, 24)) -> Path:
    """Write train, validation and test files: ``text`` and ``label``, or ``tokens`` and ``tags``."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed, (name, num) in enumerate(zip(("train", "validation", "test"), sizes, strict=True)):
        lines = [json.dumps(_row(task, texts, label)) for texts, label in examples(task, num, seed)]
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def _row(task: TaskName, texts: tuple[str, ...], label: Any) -> dict[str, object]:
    if task == "token-classification":
        return {"tokens": texts, "tags": [TAGS[number] for number in label]}
    if task == "multi-label":
        return {"text": texts[0], "label": [name for name, has in zip(LABELS, label, strict=True) if has]}
    return {"text": texts[0], "label": bool(label) if task == "sequence-classification" else label}
