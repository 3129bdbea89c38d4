"""Which saved configuration a new one is compared with, and whether the two may be compared at all."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from freezebench.records.saved import PROTOCOL_FIELDS, SPLITS
from freezebench.specs.across import across_name
from freezebench.specs.run import Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from freezebench.records.saved import SavedConfiguration

    Key = Callable[[SavedConfiguration], tuple[str, ...] | None]

# A file of an earlier version lacks the fields that were added later: its runs used what is their default now.
_PROTOCOL_DEFAULTS = {item.name: item.default for item in fields(Protocol)}


def match(
    old: Sequence[SavedConfiguration], new: Sequence[SavedConfiguration]
) -> list[tuple[SavedConfiguration, SavedConfiguration]]:
    """Return (old, new) pairs of one freeze spec, in the order of the new ones.

    The same test comes first. A renamed test is found by its experiment. If the experiment changed as well, the freeze
    spec alone decides, so that a message can name what changed. The latter two count only where both sides have exactly
    one such configuration.
    """
    # Each key is applied only to the configurations that the previous, stricter keys left unmatched.
    partners: dict[int, SavedConfiguration] = {}
    left_old, left_new = list(old), list(new)
    for key in (_by_test, _by_experiment, _by_freeze):
        pairs = _unique_pairs(left_old, left_new, key)
        partners |= {id(candidate): reference for reference, candidate in pairs}
        matched = {id(configuration) for pair in pairs for configuration in pair}
        left_old = [configuration for configuration in left_old if id(configuration) not in matched]
        left_new = [configuration for configuration in left_new if id(configuration) not in matched]
    return [(partners[id(candidate)], candidate) for candidate in new if id(candidate) in partners]


def _by_test(configuration: SavedConfiguration) -> tuple[str, ...] | None:
    return (configuration.node_id, configuration.freeze) if configuration.node_id else None


def _by_experiment(configuration: SavedConfiguration) -> tuple[str, ...] | None:
    return (configuration.experiment_id, configuration.freeze) if configuration.experiment_id else None


def _by_freeze(configuration: SavedConfiguration) -> tuple[str, ...] | None:
    return (configuration.freeze,)


def _unique_pairs(
    old: Sequence[SavedConfiguration], new: Sequence[SavedConfiguration], key: Key
) -> list[tuple[SavedConfiguration, SavedConfiguration]]:
    """Return the pairs with equal keys, where each side has the key once."""
    num_old, num_new = (Counter(map(key, side)) for side in (old, new))
    by_key = {key(reference): reference for reference in old if key(reference) and num_old[key(reference)] == 1}
    return [
        (by_key[key(candidate)], candidate)
        for candidate in new
        if key(candidate) in by_key and num_new[key(candidate)] == 1
    ]


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One property in which two configurations differ.

    Attributes:
        name: The name by which ``--freeze-compare-across`` admits it; ``None`` where nothing can: outcomes are compared
            example by example, so that metric, task and test set have to be the same.
        text: The property with both values.
        is_harmless: Whether what is compared is the same all the same, so that it is only shown.
    """

    name: str | None
    text: str
    is_harmless: bool = False

    @property
    def fixed_part(self) -> str:
        """What a difference is of that nothing admits."""
        kind = self.text.partition(" ")[0]
        return kind if kind in ("metric", "task") else "test set"


def differences(old: SavedConfiguration, new: SavedConfiguration) -> list[Difference]:
    """Return each property that has to be equal for a comparison and is not.

    A value that is unknown on one side is not compared: a factory's weights have no hash, a run that has not started
    has no number of test sentences.
    """
    scored = _changed(None, "task", old.task, new.task) or _changed(None, "metric", old.metric.name, new.metric.name)
    return [*scored, *_of_model(old, new), *_of_data(old, new), *_of_test_sets(old, new), *_of_protocol(old, new)]


def _of_model(old: SavedConfiguration, new: SavedConfiguration) -> list[Difference]:
    return _changed("model", "model", old.model, new.model) or _changed(
        "model", "model weights", _short(old.model_sha256), _short(new.model_sha256)
    )


def _of_data(old: SavedConfiguration, new: SavedConfiguration) -> list[Difference]:
    """Return the splits that differ, and the number of test sentences."""
    splits = [
        change
        for split in SPLITS
        for change in _changed(
            None if split == "test" else "data",
            f"{split} sentences",
            _short(old.data_sha256.get(split)),
            _short(new.data_sha256.get(split)),
        )
    ]
    # Equal content may come from two sources. Where the content differs, the source is the best explanation.
    source = _changed("data", "data", old.data, new.data) if splits else []
    sizes = [str(len(side.runs[0].outcomes)) if side.runs else None for side in (old, new)]
    return [*source, *splits, *_changed(None, "number of test sentences", *sizes)]


def _of_test_sets(old: SavedConfiguration, new: SavedConfiguration) -> list[Difference]:
    """Return the further test sets that differ; one that only one side has leaves all others comparable."""
    changed = [
        change
        for name in old.test_sets
        for change in _changed(
            None, f"test set {name}", _short(old.test_sets.get(name)), _short(new.test_sets.get(name))
        )
    ]
    sides = (
        ("the saved run", old.test_sets.keys() - new.test_sets.keys()),
        ("this run", new.test_sets.keys() - old.test_sets.keys()),
    )
    lacking = [
        Difference(name=None, text=f"the test set {name}, which only {side} has", is_harmless=True)
        for side, names in sides
        for name in sorted(names)
    ]
    return [*changed, *lacking]


def _of_protocol(old: SavedConfiguration, new: SavedConfiguration) -> list[Difference]:
    """Return the fields of the protocol that differ, and the number format."""
    changes = []
    for name in PROTOCOL_FIELDS:
        before, after = (side.protocol.get(name, _PROTOCOL_DEFAULTS[name]) for side in (old, new))
        if before != after:
            option = across_name(name)
            changes.append(Difference(name=option, text=f"{option} {before} → {after}"))
    return [*changes, *_changed("precision", "precision", old.precision, new.precision)]


def _changed(name: str | None, label: str, before: str | None, after: str | None) -> list[Difference]:
    is_changed = before != after and None not in (before, after)
    return [Difference(name=name, text=f"{label} {before} → {after}")] if is_changed else []


def _short(digest: str | None) -> str | None:
    return digest and f"sha256 {digest[:12]}"
