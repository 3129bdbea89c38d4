"""Splits: train, validation and test, missing ones drawn from the others."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from freezebench.data.draws import draw, draw_groups, held_out_size, notebook_halves, strata_of
from freezebench.data.groups import linked
from freezebench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from freezebench.data.table import Table
    from freezebench.specs.data import DataSpec
    from freezebench.specs.names import TaskName


@dataclass(frozen=True)
class Origin:
    """Where the examples of a split come from.

    Attributes:
        table: The table of their rows.
        rows: Number of every example's row; ``None``: all rows of the table, in their order.
    """

    table: Table
    rows: tuple[int, ...] | None = None

    def location(self, example: int) -> str:
        """Return the location of an example for a message: ``train.csv, line 3``."""
        return self.table.location(example if self.rows is None else self.rows[example])

    def at(self, examples: Sequence[int]) -> Origin:
        """Return where these examples come from."""
        return Origin(self.table, tuple(examples if self.rows is None else (self.rows[index] for index in examples)))


@dataclass(frozen=True, kw_only=True)
class Split:
    """The examples of one split.

    Attributes:
        texts: Per example its text, or its two texts; in token classification its words.
        labels: Per example its class number, from 0; its number in regression; 0 or 1 for each of several labels; in
            token classification the class number of each of its words.
        origin: Where they come from, for messages; ``None``: unknown.
        task: What is learned, which decides what texts and labels are.
        slices: Per example the value of the slice column; ``None``: there is no such column.
        groups: Per example the value of the group column, ``None`` where it is missing; ``None``: there is no such
            column.
    """

    texts: tuple[tuple[str, ...], ...] = field(repr=False)
    labels: tuple[Any, ...] = field(repr=False)
    origin: Origin | None = field(default=None, repr=False, compare=False)
    task: TaskName = "sequence-classification"
    slices: tuple[str, ...] | None = field(default=None, repr=False)
    groups: tuple[str | None, ...] | None = field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def num_examples(self) -> int:
        """Number of examples."""
        return len(self.labels)

    @cached_property
    def sha256(self) -> str:
        """Content hash of texts and labels in their order, 64 hexadecimal digits."""
        digest = hashlib.sha256()
        for texts, label in zip(self.texts, self.labels, strict=True):
            # JSON keeps the border between two texts; plain concatenation would not.
            digest.update(json.dumps([*texts, label]).encode() + b"\n")
        return digest.hexdigest()

    @cached_property
    def keys(self) -> tuple[tuple[str, ...], ...]:
        """The texts of every example as they are compared: white space and case aside."""
        return tuple(tuple(" ".join(text.split()).casefold() for text in texts) for texts in self.texts)

    @cached_property
    def distinct_keys(self) -> frozenset[tuple[str, ...]]:
        """The distinct ones of ``keys``."""
        return frozenset(self.keys)

    @property
    def has_repeats(self) -> bool:
        """Whether some examples have the same text, white space and case aside."""
        return len(self.distinct_keys) < len(self)

    @property
    def units(self) -> tuple[int, ...]:
        """The number of every example's unit: examples of one text, or of one group, belong together."""
        return linked(self.keys) if self.groups is None else linked(self.keys, self.groups)

    def location(self, example: int) -> str:
        """Return the location of an example for a message; ``example`` counts from 0."""
        return self.origin.location(example) if self.origin else f"example {example + 1}"

    def at(self, positions: Sequence[int]) -> Split:
        """Return the examples at these positions, in this order."""
        return replace(
            self,
            texts=tuple(self.texts[position] for position in positions),
            labels=tuple(self.labels[position] for position in positions),
            origin=self.origin and self.origin.at(positions),
            slices=self.slices and tuple(self.slices[position] for position in positions),
            groups=self.groups and tuple(self.groups[position] for position in positions),
        )

    def without(self, positions: Sequence[int]) -> Split:
        """Return the examples at all other positions."""
        excluded = set(positions)
        return self.at([position for position in range(len(self)) if position not in excluded])


@dataclass(frozen=True, kw_only=True)
class Splits:
    """The three splits of a data set.

    Attributes:
        train: Training examples.
        validation: Examples that the best epoch is chosen on.
        test: Examples that verdicts are based on.
        notes: How missing splits were drawn, in sentences.
    """

    train: Split
    validation: Split
    test: Split
    notes: tuple[str, ...] = ()


def make_splits(spec: DataSpec, given: Mapping[str, Split]) -> Splits:
    """Return train, validation and test; missing splits are drawn, stratified and seeded, and train is limited.

    Args:
        spec: Gives ``split_rule``, ``split_seed`` and ``max_train``.
        given: The splits that the data set has, ``train`` among them; under the rule ``notebook`` also ``test``.

    Raises:
        DataError: If there are too few examples.
    """
    if spec.split_rule == "notebook":
        splits = _notebook(given)
    elif "test" in given and "validation" in given:
        splits = Splits(train=given["train"], validation=given["validation"], test=given["test"])
    elif "validation" in given:
        splits = _validation_halved(spec, given)
    else:
        splits = _drawn_from_train(spec, given)
    for name, split in (("train", splits.train), ("validation", splits.validation), ("test", splits.test)):
        if not len(split):
            raise _too_few(spec, given["validation" if name == "test" and "validation" in given else "train"], name)
    return _limited(spec, splits)


def _too_few(spec: DataSpec, source: Split, name: str) -> DataError:
    """Return the error on a split that cannot be drawn from another one."""
    if source.groups is not None:
        num_groups = len(set(linked(source.groups)))
        return DataError(
            f"{spec.source} has {num_groups} groups in column {spec.group_column!r}, from which no {name} split can be "
            "drawn without parting one. Give a file for every split, or another --freeze-group-column."
        )
    is_classified = source.task == "sequence-classification"
    what = "examples with different texts" if source.has_repeats else "examples"
    what += f" of its {len(set(source.labels))} classes" if is_classified else ""
    return DataError(
        f"{spec.source} has too few {what} to draw a {name} split from. Give more of them, or a file for every split, "
        "or check --freeze-label-column."
    )


def _drawn(split: Split, size: int, *, spec: DataSpec, purpose: str, leave: int = 0) -> tuple[int, ...]:
    """Return the positions of a part of a split: of whole groups if there are groups, with all examples of one text.

    A part of a document in training would make the rest of it easier in the test, and a copy of a text even more so.
    """
    strata = strata_of(split.labels, split.task)
    if split.groups is None and not split.has_repeats:
        return draw(strata, size, seed=spec.split_seed, purpose=purpose, leave=leave)
    return draw_groups(strata, split.units, size, seed=spec.split_seed, purpose=purpose, leave=leave)


def _notebook(given: Mapping[str, Split]) -> Splits:
    test = given["test"]
    first, second = notebook_halves(len(test))
    note = (
        f"The {len(test)} test examples are halved as in the notebook: "
        f"{len(first)} for validation, {len(second)} for test."
    )
    return Splits(train=given["train"], validation=test.at(first), test=test.at(second), notes=(note,))


def _validation_halved(spec: DataSpec, given: Mapping[str, Split]) -> Splits:
    validation = given["validation"]
    # Every draw has a purpose of its own, so that splits of equal size do not take the same positions.
    kept = _drawn(validation, len(validation) // 2, spec=spec, purpose="halve")
    how = _how(spec, validation)
    note = f"There is no test split: half of the {len(validation)} validation examples became it ({how})."
    return Splits(train=given["train"], validation=validation.at(kept), test=validation.without(kept), notes=(note,))


def _drawn_from_train(spec: DataSpec, given: Mapping[str, Split]) -> Splits:
    splits = dict(given)
    size = held_out_size(len(given["train"]))
    missing = [name for name in ("test", "validation") if name not in given]
    for name in missing:
        # Training keeps an example of every class.
        drawn = _drawn(splits["train"], size, spec=spec, purpose=name, leave=1)
        splits[name] = splits["train"].at(drawn)
        splits["train"] = splits["train"].without(drawn)
    note = (
        f"There is no {' and no '.join(missing)} split: {' and '.join(str(len(splits[name])) for name in missing)} "
        f"of the {len(given['train'])} train examples became {'it' if len(missing) == 1 else 'these'} "
        f"({_how(spec, given['train'])})."
    )
    return Splits(train=splits["train"], validation=splits["validation"], test=splits["test"], notes=(note,))


def _limited(spec: DataSpec, splits: Splits) -> Splits:
    """Return the splits with at most ``max_train`` training examples, the same ones for every training seed.

    Raises:
        DataError: If not every class can have an example.
    """
    train = splits.train
    is_classified = train.task == "sequence-classification"
    num_classes = len(set(train.labels)) if is_classified else 0
    if spec.max_train is None or spec.max_train >= len(train):
        return splits
    if spec.max_train < num_classes:
        raise DataError(
            f"{spec.max_train} training examples cannot cover the {num_classes} classes of {spec.source}. "
            f"Set --freeze-max-train to {num_classes} or more."
        )
    # The seed is that of the data, not of the run: all runs of a comparison train on the same examples.
    strata = strata_of(train.labels, train.task)
    at_least = 1 if is_classified else 0
    drawn = draw(strata, spec.max_train, seed=spec.split_seed, purpose="max_train", at_least=at_least)
    note = f"{spec.max_train} of the {len(train)} train examples were drawn ({_how(spec, train, is_whole=False)})."
    return Splits(train=train.at(drawn), validation=splits.validation, test=splits.test, notes=(*splits.notes, note))


def _how(spec: DataSpec, split: Split, *, is_whole: bool = True) -> str:
    """Return how examples were drawn.

    Args:
        spec: Gives the seed and the group column.
        split: What they were drawn from.
        is_whole: Whether groups and examples of one text were drawn together.
    """
    parts = ["stratified" if split.task in {"sequence-classification", "regression"} else "at random"]
    if is_whole and split.groups is not None:
        parts.append(f"groups of column {spec.group_column!r} kept whole")
    if is_whole and split.has_repeats:
        parts.append("rows of one text kept together")
    return ", ".join([*parts, f"seed {spec.split_seed}"])
