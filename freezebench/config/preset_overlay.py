"""A preset's experiment with options in place of its own: data, protocol and rates, and whether it is still its own."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from freezebench.errors import SettingsError
from freezebench.specs.grid import PerSpec
from freezebench.specs.run import Protocol

if TYPE_CHECKING:
    from freezebench.config.sources import ParsedOptions
    from freezebench.specs.data import DataSpec
    from freezebench.specs.presets import Preset

_METRIC, _TASK = "accuracy", "sequence-classification"  # of every preset


def data_spec(base: Preset, options: ParsedOptions) -> DataSpec:
    """Return the data set: the preset's, with the given options in place of its own."""
    source = options.get("data", base.data.source)
    # The preset's size was chosen for its own data; of another data set, all training sentences are used.
    max_train = base.data.max_train if source == base.data.source else None
    return replace(
        base.data,
        source=source,
        text_columns=options.get("text_column", base.data.text_columns),
        label_column=options.get("label_column", base.data.label_column),
        max_train=options.get("max_train", max_train),
        bad_rows=options.get("bad_rows", base.data.bad_rows),
        task=options.get("task", base.data.task),
        slice_column=options.get("slice_column", base.data.slice_column),
        group_column=options.get("group_column", base.data.group_column),
        test_sets=options.get("test", base.data.test_sets),
    )


def protocol(base: Preset, options: ParsedOptions, *, is_own: bool) -> Protocol:
    """Return how runs train, but for the learning rate.

    Args:
        base: The preset.
        options: The options that were set.
        is_own: Whether model and data are the preset's, for which it may leave out dropout; others train with it.
    """
    usual = base.protocol
    return replace(
        usual,
        num_epochs=options.get("epochs", usual.num_epochs),
        batch_size=options.get("batch_size", usual.batch_size),
        engine=options.get("engine", usual.engine),
        precision=options.get("precision", usual.precision),
        max_length=options.get("max_length", usual.max_length),
        dropout=options.get("dropout", usual.dropout if is_own else Protocol.dropout),
        prefix_mode=options.get("prefix_mode", usual.prefix_mode),
        batch_order=options.get("batch_order", usual.batch_order),
    )


def learning_rates(base: Preset, options: ParsedOptions, *, is_own: bool) -> PerSpec:
    """Return AdamW's rate per configuration.

    Args:
        base: The preset.
        options: The options that were set.
        is_own: Whether the model is the preset's, which learns at its rates from other data, too; others get the
            protocol's.
    """
    usual = base.learning_rates if is_own else PerSpec(default=base.protocol.learning_rate)
    rates = options.get("lr", usual)
    return rates if rates.default is not None else replace(rates, default=usual.default)


def has_its_limits(base: Preset, options: ParsedOptions, experiment: tuple[str, DataSpec, Protocol, PerSpec]) -> bool:
    """Return whether an experiment is the one in which the preset's limits document what freezing costs.

    Args:
        base: The preset.
        options: The options that were set.
        experiment: Model, data, protocol and learning rates of the experiment.
    """
    model, data, trained, rates = experiment
    # How its test examples are divided and grouped changes no training and no drop, and neither do further test sets.
    usual = base.data
    data = replace(
        data,
        slice_column=usual.slice_column,
        group_column=usual.group_column,
        test_sets=usual.test_sets,
        task=usual.task if data.task == _TASK else data.task,
    )
    metric: str = options.get("metric", _METRIC)
    return (
        model == base.model
        and data == usual
        # Precision may differ, since the preset leaves it to the device.
        and replace(trained, precision=base.protocol.precision) == base.protocol
        and rates == base.learning_rates
        and metric == _METRIC
        and not options.get("tune_lr", ())
    )


def check_columns_and_sets(options: ParsedOptions, data: DataSpec) -> None:
    """Make sure that limits on slices and further test sets have some to hold for.

    Raises:
        SettingsError: If they do not.
    """
    if "max_slice_drop" in options and data.slice_column is None:
        raise SettingsError(
            f"{options.origins['max_slice_drop']} limits the drop on slices, and there are no slices. Give "
            "--freeze-slice-column as well."
        )
    if "max_test_drop" in options and not data.test_sets:
        raise SettingsError(
            f"{options.origins['max_test_drop']} limits the drop on further test sets, and there are none. Give "
            "--freeze-test=NAME=SOURCE as well."
        )


def judges_claims(base: Preset, options: ParsedOptions) -> bool:
    """Return whether the claims of the notebook are judged, which are about its accuracy.

    Raises:
        SettingsError: If they are requested with another metric.
    """
    metric: str = options.get("metric", _METRIC)
    is_requested: bool = options.get("claims", base.name == "notebook")
    if is_requested and metric != _METRIC and "claims" in options:
        raise SettingsError(
            f"{options.origins['claims']}: the claims of the notebook are about accuracy, and "
            f"{options.origins['metric']}={metric} judges by another metric. Leave one of them out."
        )
    return is_requested and metric == _METRIC
