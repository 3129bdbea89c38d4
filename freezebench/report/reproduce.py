"""The command that runs an experiment again, and how the experiment differs from its preset."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezebench.escaping import shell_word
from freezebench.records.files import plain
from freezebench.report.experiment import subsettings
from freezebench.specs.limits import DEFAULT_MARGIN_PP, CostLimits
from freezebench.specs.presets import PRESETS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from freezebench.specs.json_types import Json

    Settings = Mapping[str, Json]

# Names of settings by the names of the options that give them.
_MAIN = {"seed": "seed"}
_PROTOCOL = {
    "epochs": "num_epochs",
    "batch-size": "batch_size",
    "engine": "engine",
    "precision": "precision",
    "max-length": "max_length",
    "dropout": "dropout",
    "prefix-mode": "prefix_mode",
    "batch-order": "batch_order",
}
_DATA = {
    "label-column": "label_column",
    "max-train": "max_train",
    "bad-rows": "bad_rows",
    "task": "task",
    "slice-column": "slice_column",
    "group-column": "group_column",
}


def reproduction_command(settings: Settings, tests: Sequence[str] = ()) -> str:
    """Return the pytest command that runs an experiment again: its preset, and every option that differs from it.

    Args:
        settings: The settings of the experiment in JSON types.
        tests: Node ids of the tests that ran; if none are known, the folder ``benchmarks`` stands for them.
    """
    usual = _preset(settings)
    # An option that equals the preset's is left out, so that the command shows what is special.
    data, usual_data = subsettings(settings, "data"), subsettings(usual, "data")
    if data.get("source") != usual_data.get("source"):
        usual_data = {**usual_data, "max_train": None}  # the preset's size holds for its own data only
    options: dict[str, Json] = {"preset": settings["preset"], "grid": settings.get("grid")}
    # Always given, since a marker or an ini file may list others beside the preset's own.
    options |= {"model": settings.get("model"), "data": data.get("source")}
    options |= _different(settings, usual, _MAIN) | _different(data, usual_data, _DATA)
    if data.get("text_columns") != usual_data.get("text_columns"):
        options["text-column"] = _columns(data.get("text_columns"))
    options["test"] = _test_sets(data)
    options |= _different(subsettings(settings, "protocol"), subsettings(usual, "protocol"), _PROTOCOL)
    if settings.get("learning_rates") != usual.get("learning_rates"):
        options["lr"] = _per_spec(subsettings(settings, "learning_rates"))
    factors = settings.get("tune_lr")
    options["tune-lr"] = ",".join(map(_number, factors)) if isinstance(factors, list) else ""
    options["num-seeds"] = _joined(subsettings(settings, "looks").get("counts"))
    if settings.get("device") != "auto":
        options["device"] = settings.get("device")
    options |= _judging(settings)
    if settings.get("limits_from") and settings["limits_from"] != f"preset {settings['preset']}":
        options["max-drop"] = _per_spec(subsettings(settings, "max_drop"))
    options["max-regression"] = _per_spec(subsettings(settings, "max_regression"))
    costs = subsettings(settings, "costs")
    options |= {name.replace("_", "-"): _per_spec(subsettings(costs, name)) for name in CostLimits.names()}
    if settings.get("inconclusive") != "skip":
        options["inconclusive"] = settings.get("inconclusive")
    texts = {name: _text(value) for name, value in options.items() if value is not None}
    given = [shell_word(f"--freeze-{name}={text}") for name, text in texts.items() if text]
    if settings.get("pool_seeds"):
        given.append("--freeze-pool-seeds")
    if settings.get("claims") and settings["preset"] != "notebook":
        given.append("--freeze-claims")
    return " ".join(["pytest", *map(shell_word, tests or ["benchmarks"]), *given])


def _judging(settings: Settings) -> dict[str, Json]:
    """Return the options of the metric, its margin, and the limits of slices and further test sets."""
    metric, margin = settings.get("metric"), settings["margin_pp"]
    # A metric may have a unit of its own, in which the number of the usual margin has to be given.
    options: dict[str, Json] = {"metric": metric}
    options["margin"] = None if metric is None and margin == DEFAULT_MARGIN_PP else _number(margin)
    for name in ("max-slice-drop", "max-test-drop"):
        limit = settings.get(name.replace("-", "_"))
        options[name] = None if limit is None else _number(limit)
    return options


def preset_differences(settings: Settings) -> str:
    """Return a sentence that names the settings in which an experiment differs from its preset."""
    usual = _preset(settings)
    fields = ("model", "data", "protocol", "learning_rates", "looks")
    names = [name.replace("_", " ") for name in fields if settings.get(name) != usual.get(name)]
    names += ["tuned learning rates"] if settings.get("tune_lr") else []
    if not names:
        return "All settings are the preset's."
    return f"These settings differ from the preset's: {', '.join(names)}."


def _preset(settings: Settings) -> Settings:
    """Return the settings of the experiment's preset in JSON types; empty if this version does not have it."""
    preset = PRESETS.get(str(settings["preset"]))
    return {} if preset is None else plain(preset)


def _different(values: Settings, usual: Settings, names: Mapping[str, str]) -> dict[str, Json]:
    """Return the options of those settings that differ from the preset's."""
    return {option: values.get(field) for option, field in names.items() if values.get(field) != usual.get(field)}


def _per_spec(values: Settings) -> str:
    """Return numbers per configuration in the form of an option: ``2,emb+L0:3``."""
    by_spec = values.get("by_spec")
    entries = [] if values.get("default") is None else [_number(values["default"])]
    pairs = by_spec if isinstance(by_spec, list) else []
    return ",".join(entries + [f"{spec}:{_number(number)}" for spec, number in pairs])


def _test_sets(data: Settings) -> str:
    """Return further test sets in the form of the option: ``tweets=reviews:tweets``."""
    sets = data.get("test_sets")
    items = [item for item in sets if isinstance(item, dict)] if isinstance(sets, list) else []
    return ",".join(f"{item.get('name')}={item.get('source')}" for item in items)


def _joined(values: Json) -> str:
    return ",".join(map(str, values)) if isinstance(values, list) else ""


def _columns(names: Json) -> str:
    """Return names of columns as the option takes them: one with a comma is in double quotes."""
    return _joined([f'"{name}"' if "," in str(name) else name for name in names]) if isinstance(names, list) else ""


def _text(value: Json) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def _number(value: Json) -> str:
    return f"{value:g}" if isinstance(value, int | float) else str(value)
