"""Saved configurations in JSON types, as files of pytest-benchmark hold them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeGuard, TypeVar

from freezebench.errors import RecordError
from freezebench.records.packed import groups_of, repeats_of
from freezebench.records.saved import SavedConfiguration, SavedSeed
from freezebench.records.saved_freeze import saved_freeze
from freezebench.records.saved_metric import metric_from_info, metric_info, outcomes_from_info, outcomes_info
from freezebench.specs.fields import brief, real

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from freezebench.specs.json_types import Json

_T = TypeVar("_T")

EXTRA_INFO_SCHEMA = 2
_TEXTS = ("model", "model_sha256", "data", "experiment_id", "device", "device_name", "precision", "broken")
_SEEDS_END = 2**32  # those of numpy end there


def to_info(saved: SavedConfiguration, *, run_extras: Sequence[Mapping[str, Json]] | None = None) -> dict[str, Json]:
    """Return a configuration in JSON types.

    Outcomes of accuracy are saved as one bit per test sentence, since a configuration may have millions of them: in
    order, from the highest bit of the first byte on, as ``numpy.packbits`` does it, in Base64. Those of other metrics
    are saved as little-endian float32, in Base64. Of the texts, only the sentences that repeat an earlier one, or are
    of its group, are saved, by position: ``[[5, 2]]`` where the sixth sentence repeats the third.

    Args:
        saved: The configuration.
        run_extras: Further entries of each run, which ``from_info`` ignores.
    """
    extras = run_extras if run_extras is not None else [{}] * len(saved.runs)
    return {
        "schema": EXTRA_INFO_SCHEMA,
        "freeze": saved.freeze,
        **{name: getattr(saved, name) for name in _TEXTS},
        "data_sha256": dict(saved.data_sha256),
        "protocol": dict(saved.protocol),
        **({} if saved.test_groups is None else {"test_repeats": repeats_of(saved.test_groups)}),
        **metric_info(saved.metric, saved.task),
        **({"test_sets": dict(saved.test_sets)} if saved.test_sets else {}),
        **({} if saved.too_few is None else {"too_few": saved.too_few}),
        "runs": [
            {
                "seed": run.seed,
                **outcomes_info(run.outcomes),
                "readings": dict(run.readings),
                **({} if run.device_name is None else {"device_name": run.device_name}),
                **extra,
            }
            for run, extra in zip(saved.runs, extras, strict=True)
        ],
    }


def from_info(info: object, node_id: str | None) -> SavedConfiguration:
    """Return the configuration from what ``to_info`` returned.

    Raises:
        RecordError: If the schema is unknown, or an entry is missing, contradictory or damaged.
    """
    schema = info.get("schema") if isinstance(info, dict) else None
    if not isinstance(info, dict) or schema != EXTRA_INFO_SCHEMA:
        is_newer = isinstance(schema, int) and schema > EXTRA_INFO_SCHEMA
        advice = "a newer version wrote it; use that version" if is_newer else "save the reference anew"
        raise RecordError(
            f"figures of schema {brief(schema)}, but this version of freezebench reads {EXTRA_INFO_SCHEMA}: {advice}"
        )
    runs = tuple(_seed(run) for run in _typed(info, "runs", list))
    metric, task = metric_from_info(info)
    test_sets, too_few = info.get("test_sets", {}), info.get("too_few")
    if not isinstance(test_sets, dict) or not all(isinstance(sha256, str) for sha256 in test_sets.values()):
        raise RecordError(f"the further test sets are no names with hashes: {brief(test_sets)}")
    configuration = SavedConfiguration(
        freeze=saved_freeze(info.get("freeze")),
        node_id=node_id,
        data_sha256=_typed(info, "data_sha256", dict),
        protocol=_typed(info, "protocol", dict),
        test_groups=groups_of(info.get("test_repeats"), len(runs[0].outcomes)) if runs else None,
        runs=runs,
        metric=metric,
        task=task,
        test_sets=test_sets,
        too_few=None if too_few is None else _typed(info, "too_few", str),
        **{name: None if info.get(name) is None else _typed(info, name, str) for name in _TEXTS},
    )
    check(configuration)
    return configuration


def check(saved: SavedConfiguration) -> None:
    """Make sure that the runs of a configuration are complete and belong together.

    Raises:
        RecordError: If they do not, or if properties that a comparison needs are missing.
    """
    if saved.broken:
        return
    if not saved.runs:
        raise RecordError(f"{saved.freeze} has no runs, and no reason for it")
    hashes_known = "test" in saved.data_sha256 and all(isinstance(sha256, str) for sha256 in saved.data_sha256.values())
    if None in (saved.model, saved.data, saved.device_name, saved.precision) or not hashes_known:
        raise RecordError(f"{saved.freeze} does not say which model, data, device or precision it ran with")
    # The comparison pairs runs by seed and test sentences by position.
    seeds = [run.seed for run in saved.runs]
    if len(set(seeds)) < len(seeds):
        raise RecordError(f"{saved.freeze} holds a seed twice: {seeds}")
    sizes = {len(run.outcomes) for run in saved.runs}
    if len(sizes) > 1 or min(sizes) < 2:  # noqa: PLR2004 - an interval needs two sentences
        raise RecordError(f"the runs of {saved.freeze} have {sorted(sizes)} test sentences: expected one number from 2")


def _typed(values: object, name: str, kind: type[_T]) -> _T:
    """Return an entry of a dictionary.

    Raises:
        RecordError: If it is missing or has another type.
    """
    value = values.get(name) if isinstance(values, dict) else None
    # In Python, True is an int; in JSON it is not a number.
    if not isinstance(value, kind) or isinstance(value, bool):
        raise RecordError(f"{name!r} is missing or no {kind.__name__}: {brief(value)}")
    return value


def is_number(value: object) -> TypeGuard[float]:
    """Return whether a value from JSON is a finite number that fits into a float."""
    return math.isfinite(real(value))


def _seed(run: object) -> SavedSeed:
    """Return one run.

    Raises:
        RecordError: If an entry is missing or damaged.
    """
    outcomes = outcomes_from_info(run if isinstance(run, dict) else {})
    readings = _typed(run, "readings", dict)
    for name, value in readings.items():
        if value is not None and not is_number(value):
            raise RecordError(f"reading {name!r} is no finite number: {brief(value)}")
    seed = _typed(run, "seed", int)
    if not 0 <= seed < _SEEDS_END:
        raise RecordError(f"{brief(seed)} is no seed")
    device_name = run.get("device_name") if isinstance(run, dict) else None
    if device_name is not None:
        _typed(run, "device_name", str)
    return SavedSeed(seed=seed, outcomes=outcomes, readings=readings, device_name=device_name)
