"""The data sets that pages name, in the words of the tiny checkpoint, with all columns that commands there use."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from task_data import LABELS, TAGS, examples
from tiny import sentences

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_SIZES = {"train": 48, "validation": 24, "test": 40}
_TICKETS = ("delivery", "praise", "question")


def write_page_data(folder: Path) -> None:
    """Write every data set of the pages as a subfolder."""
    for name, rows_of in _ROWS.items():
        (folder / name).mkdir()
        for seed, (split, num) in enumerate(_SIZES.items()):
            lines = [json.dumps(row) for row in rows_of(num, seed)]
            (folder / name / f"{split}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _reviews(num: int, seed: int) -> list[dict[str, Any]]:
    return [
        {
            "text": text,
            "label": label,
            "rating": 2.5 if label else -1.5,
            "domain": ("film", "book")[number // 2 % 2],
            "document": number // 3,
        }
        for number, (text, label) in enumerate(sentences(num, 2, seed))
    ]


def _tickets(num: int, seed: int) -> list[dict[str, Any]]:
    return [{"text": text, "label": _TICKETS[label]} for text, label in sentences(num, 3, seed)]


def _topics(num: int, seed: int) -> list[dict[str, Any]]:
    made = examples("multi-label", num, seed)
    return [
        {"text": texts[0], "label": [name for name, has in zip(LABELS, label, strict=True) if has]}
        for texts, label in made
    ]


def _news(num: int, seed: int) -> list[dict[str, Any]]:
    return [{"text": row["text"], "topics": "; ".join(row["label"]) or "[]"} for row in _topics(num, seed)]


def _tags(num: int, seed: int) -> list[dict[str, Any]]:
    made = [(words, [TAGS[number] for number in tags]) for words, tags in examples("token-classification", num, seed)]
    return [{"tokens": words, "tags": tags, "words": words, "ner": tags} for words, tags in made]


def _pairs(num: int, seed: int) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for (first, label), (second, _) in zip(sentences(num, 2, seed), sentences(num, 2, seed + 10), strict=True):
        pair = {"premise": first, "hypothesis": second, "sentence1": first, "sentence2": second}
        rows.append({**pair, "score": label + len(rows) % 3 / 10, "gold": ("no", "yes")[label]})
    return rows


def _stars(num: int, seed: int) -> list[dict[str, Any]]:
    return [{"text": texts[0], "stars": round(number) + 3} for texts, number in examples("regression", num, seed)]


_ROWS: dict[str, Callable[[int, int], list[dict[str, Any]]]] = {
    "my-reviews": _reviews,
    "my-tweets": _reviews,
    "reviews, 2026": _reviews,
    "my-tickets": _tickets,
    "my-topics": _topics,
    "my-news": _news,
    "my-tags": _tags,
    "my-pairs": _pairs,
    "my-stars": _stars,
}
