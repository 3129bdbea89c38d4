"""Parts: examples on their way to the three splits; draws what is missing and reports what overlaps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from freezebench.data.draws import draw, held_out_size, notebook_halves
from freezebench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from freezebench.specs.run import DataSpec


@dataclass(frozen=True, kw_only=True)
class Part:
    """Some examples.

    Attributes:
        texts: Per example its text, or its two texts.
        labels: Class number of every example.
    """

    texts: tuple[tuple[str, ...], ...]
    labels: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.labels)

    def at(self, positions: Sequence[int]) -> Part:
        """Return the examples at these positions, in this order."""
        return Part(
            texts=tuple(self.texts[position] for position in positions),
            labels=tuple(self.labels[position] for position in positions),
        )

    def without(self, positions: Sequence[int]) -> Part:
        """Return the examples at all other positions."""
        drawn = set(positions)
        return self.at([position for position in range(len(self)) if position not in drawn])


Parts = dict[str, Part]


def with_all_splits(spec: DataSpec, given: Parts) -> tuple[Parts, tuple[str, ...]]:
    """Return train, validation and test, and notes; what is missing is drawn, stratified and seeded.

    Args:
        spec: Its ``split_rule`` and ``split_seed`` count.
        given: Parts by split, ``train`` among them; under the rule ``notebook`` also ``test``.

    Raises:
        DataError: If there are too few examples.
    """
    if spec.split_rule == "notebook":
        parts, note = _notebook(given)
    elif "test" in given and "validation" in given:
        parts, note = given, ""
    elif "validation" in given:
        parts, note = _validation_halved(spec, given)
    else:
        parts, note = _drawn_from_train(spec, given)
    for split in ("train", "validation", "test"):
        if not len(parts[split]):
            raise DataError(
                f"{spec.source} has too few examples of its {len(set(given['train'].labels))} classes to draw "
                f"a {split} split from. Give more of them, or a file for every split, or check --freeze-label-column."
            )
    return parts, (note,) if note else ()


def _notebook(given: Parts) -> tuple[Parts, str]:
    test = given["test"]
    first, second = notebook_halves(len(test))
    note = (
        f"The {len(test)} test examples are halved as in the notebook: "
        f"{len(first)} for validation, {len(second)} for test."
    )
    return {"train": given["train"], "validation": test.at(first), "test": test.at(second)}, note


def _validation_halved(spec: DataSpec, given: Parts) -> tuple[Parts, str]:
    validation = given["validation"]
    kept = draw(validation.labels, len(validation) // 2, seed=spec.split_seed, purpose="halve")
    parts = {"train": given["train"], "validation": validation.at(kept), "test": validation.without(kept)}
    note = f"There is no test split: half of the {len(validation)} validation examples became it ({_how(spec)})."
    return parts, note


def _drawn_from_train(spec: DataSpec, given: Parts) -> tuple[Parts, str]:
    parts = dict(given)
    size = held_out_size(len(given["train"]))
    missing = [split for split in ("test", "validation") if split not in given]
    for split in missing:
        # Training keeps an example of every class.
        drawn = draw(parts["train"].labels, size, seed=spec.split_seed, purpose=split, leave=1)
        parts[split] = parts["train"].at(drawn)
        parts["train"] = parts["train"].without(drawn)
    note = (
        f"There is no {' and no '.join(missing)} split: {' and '.join(str(len(parts[split])) for split in missing)} "
        f"of the {len(given['train'])} train examples became it ({_how(spec)})."
    )
    return parts, note


def _how(spec: DataSpec) -> str:
    return f"stratified, seed {spec.split_seed}"


def with_max_train(spec: DataSpec, parts: Parts) -> tuple[Parts, tuple[str, ...]]:
    """Return the parts with at most ``max_train`` training examples, the same ones for every training seed, and notes.

    Raises:
        DataError: If not every class can have an example.
    """
    train = parts["train"]
    num_classes = len(set(train.labels))
    if spec.max_train is None or spec.max_train >= len(train):
        return parts, ()
    if spec.max_train < num_classes:
        raise DataError(
            f"{spec.max_train} training examples cannot cover the {num_classes} classes of {spec.source}. "
            f"Set --freeze-max-train to {num_classes} or more."
        )
    drawn = draw(train.labels, spec.max_train, seed=spec.split_seed, purpose="max_train", at_least=1)
    note = f"{spec.max_train} of the {len(train)} train examples were drawn ({_how(spec)})."
    return {**parts, "train": train.at(drawn)}, (note,)


def overlaps(parts: Mapping[str, Part]) -> tuple[str, ...]:
    """Return notes on examples of test and validation whose texts are also trained on, white space and case aside."""
    keys = {split: [normalised(texts) for texts in part.texts] for split, part in parts.items()}
    trained = set(keys["train"])
    notes = []
    for split in ("test", "validation"):
        count = sum(key in trained for key in keys[split])
        if count:
            notes.append(
                f"Leakage: {count} of {len(keys[split])} {split} examples ({100 * count / len(keys[split]):.1f} %) "
                "also occur in train, white space and case aside."
            )
    repeated = len(keys["train"]) - len(trained)
    if repeated:
        notes.append(f"{repeated} of {len(keys['train'])} train examples repeat another one's text.")
    return tuple(notes)


def normalised(texts: tuple[str, ...]) -> tuple[str, ...]:
    """Return texts as they are compared: white space and case aside."""
    return tuple(" ".join(text.split()).casefold() for text in texts)
