"""Partners: which saved configuration belongs to which new one, and whether they may be compared at all."""

from __future__ import annotations

from collections import Counter
from dataclasses import fields
from typing import TYPE_CHECKING

from freezebench.records.saved import PROTOCOL_FIELDS, SPLITS
from freezebench.specs.run import Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from freezebench.records.saved import SavedConfiguration

# A file of an earlier version lacks the fields that came later: it ran with what is their default now.
_PROTOCOL_DEFAULTS = {name.name: name.default for name in fields(Protocol)}


def match(
    old: Sequence[SavedConfiguration], new: Sequence[SavedConfiguration]
) -> list[tuple[SavedConfiguration, SavedConfiguration]]:
    """Return (old, new) pairs of one freeze spec, in the order of the new ones.

    The same test comes first; a renamed one is found by its experiment, and one whose experiment changed by its freeze
    spec alone, so that what changed can be named. The latter two count only where both sides have exactly one.
    """
    keys: tuple[Callable[[SavedConfiguration], tuple[str, ...] | None], ...] = (
        lambda one: (one.node_id, one.freeze) if one.node_id else None,
        lambda one: (one.experiment_id, one.freeze) if one.experiment_id else None,
        lambda one: (one.freeze,),
    )
    partner: dict[int, SavedConfiguration] = {}
    left_old, left_new = list(old), list(new)
    for key in keys:
        num_old, num_new = (Counter(key(one) for one in side) for side in (left_old, left_new))
        by_key = {key(one): one for one in left_old if key(one) and num_old[key(one)] == 1}
        found = {id(one): by_key[key(one)] for one in left_new if key(one) in by_key and num_new[key(one)] == 1}
        partner |= found
        taken = {id(one) for one in found.values()}
        left_old = [one for one in left_old if id(one) not in taken]
        left_new = [one for one in left_new if id(one) not in found]
    return [(partner[id(one)], one) for one in new if id(one) in partner]


def differences(old: SavedConfiguration, new: SavedConfiguration) -> list[str]:
    """Return what has to be equal for anything to compare, and is not: each field with both values.

    What one side does not know (a factory has no hash of its weights, a run to come no precision) is not compared.
    """
    found = [_changed("model", old.model, new.model)]
    if not found[0]:
        found.append(_changed("model weights", _short(old.model_sha256), _short(new.model_sha256)))
    splits = [
        _changed(f"{split} sentences", _short(old.data_sha256.get(split)), _short(new.data_sha256.get(split)))
        for split in SPLITS
    ]
    # Equal content may lie in another place; other content often does, and then the place says most.
    if any(splits):
        found += [_changed("data", old.data, new.data), *splits]
    for name in PROTOCOL_FIELDS:
        before, now = (side.protocol.get(name, _PROTOCOL_DEFAULTS[name]) for side in (old, new))
        found.append(f"{name} {before} → {now}" if before != now else "")
    found.append(_changed("precision", old.precision, new.precision))
    sizes = [str(len(side.runs[0].correct)) if side.runs else None for side in (old, new)]
    found.append(_changed("number of test sentences", *sizes))
    return [difference for difference in found if difference]


def _changed(name: str, before: str | None, now: str | None) -> str:
    return f"{name} {before} → {now}" if before != now and None not in (before, now) else ""


def _short(digest: str | None) -> str | None:
    return digest and f"sha256 {digest[:12]}"
