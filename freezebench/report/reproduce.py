"""Reproduce: the command that runs an experiment again."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from freezebench.records.files import plain
from freezebench.specs.limits import DEFAULT_MARGIN_PP, CostLimits
from freezebench.specs.presets import PRESETS

if TYPE_CHECKING:
    from collections.abc import Mapping

_PROTOCOL = {
    "num_epochs": "epochs",
    "batch_size": "batch-size",
    "engine": "engine",
    "precision": "precision",
    "max_length": "max-length",
}
_DATA = {"source": "data", "label_column": "label-column", "max_train": "max-train"}


def command(settings: Mapping[str, Any]) -> str:
    """Return the pytest command that runs an experiment again: its preset and whatever differs from it.

    Args:
        settings: What was asked for, in JSON's types.
    """
    preset = PRESETS.get(str(settings["preset"]))
    usual: dict[str, Any] = {} if preset is None else plain(preset)
    flags: dict[str, Any] = {"preset": settings["preset"], "grid": settings.get("grid")}
    flags |= _different(settings, usual, {"model": "model", "seed": "seed"})
    data, protocol = settings.get("data") or {}, settings.get("protocol") or {}
    flags |= _different(data, usual.get("data", {}), _DATA)
    if data.get("text_columns") != usual.get("data", {}).get("text_columns"):
        flags["text-column"] = ",".join(data.get("text_columns") or [])
    flags |= _different(protocol, usual.get("protocol", {}), _PROTOCOL)
    if settings.get("learning_rates") != usual.get("learning_rates"):
        flags["lr"] = _per_spec(settings.get("learning_rates"))
    flags["num-seeds"] = ",".join(str(count) for count in (settings.get("looks") or {}).get("counts") or [])
    if settings.get("device") != "auto":
        flags["device"] = settings.get("device")
    if settings["margin_pp"] != DEFAULT_MARGIN_PP:
        flags["margin"] = f"{settings['margin_pp']:g}"
    if settings.get("limits_from") and settings["limits_from"] != f"preset {settings['preset']}":
        flags["max-drop"] = _per_spec(settings.get("max_drop"))
    for name in CostLimits.names():
        flags[name.replace("_", "-")] = _per_spec((settings.get("costs") or {}).get(name))
    given = [shlex.quote(f"--freeze-{name}={value}") for name, value in flags.items() if value not in (None, "")]
    if settings.get("pool_seeds"):
        given.append("--freeze-pool-seeds")
    return " ".join(["pytest benchmarks", *given])


def unlike(settings: Mapping[str, Any]) -> str:
    """Return in what an experiment differs from its preset, in a sentence, so that it is not taken for it."""
    preset = PRESETS.get(str(settings["preset"]))
    usual: dict[str, Any] = {} if preset is None else plain(preset)
    fields = ("model", "data", "protocol", "learning_rates", "looks")
    names = [name.replace("_", " ") for name in fields if settings.get(name) != usual.get(name)]
    if not names:
        return "Everything that was asked for is the preset's."
    return f"Not the preset's own: {', '.join(names)}."


def _different(values: Mapping[str, Any], usual: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Return the flags of those fields that differ from the preset's."""
    return {flag: values.get(field) for field, flag in names.items() if values.get(field) != usual.get(field)}


def _per_spec(values: Mapping[str, Any] | None) -> str:
    """Return numbers per configuration as an option takes them."""
    if not values:
        return ""
    entries = [] if values.get("default") is None else [f"{values['default']:g}"]
    return ",".join(entries + [f"{spec}:{number:g}" for spec, number in values.get("by_spec") or []])
