"""The schema of the overview of several experiments."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from docs.schemas.types import array, number, object_, text, whole
from freezebench.report.overview.front import CostName
from freezebench.report.overview.rows import Next, State
from freezebench.report.rows import Row

if TYPE_CHECKING:
    from docs.schemas.types import Schema, SchemaOfTypes

_OF_PREFIX = (
    *("drop_pp", "lower_pp", "upper_pp", "speedup", "speedup_lower", "speedup_upper", "memory_saving"),
    *("energy_saving", "energy_saving_uncertainty", "trainable_fraction"),
)


def overview(types: SchemaOfTypes) -> Schema:
    """Return the schema of the key ``overview``."""
    point = object_(
        "One configuration of the front.",
        {
            "experiment": whole("Number of the experiment, from 1."),
            "freeze": text("Canonical id of the configuration."),
            "cost": number("Its cost as a share of that of the experiment's own baseline.", may_be_null=False),
            "upper_pp": number("Upper bound of its drop, in the unit of the metric.", may_be_null=False),
        },
    )
    front = object_(
        "The joint Pareto front: no other configuration has both a lower upper bound of the drop and a lower cost.",
        {
            "cost": {"enum": list(get_args(CostName)), "description": "What is ranked as cost."},
            "why_no_times": text("Why times are not ranked; `null` where they are.", may_be_null=True),
            "configurations": array(types.add("FrontPoint", point), "The configurations, cheapest first."),
        },
    )
    row = types.add("OverviewRow", object_("One experiment at a glance.", _figures(types)))
    return object_(
        "Several experiments at a glance.",
        {
            "sentence": text("How many of the experiments can freeze which share of the layers."),
            "experiments": array(row, "The experiments; `overview.csv` has the same figures."),
            "front": {
                "anyOf": [types.add("Front", front), {"type": "null"}],
                "description": "The joint Pareto front; `null` where no configuration but baselines has two valid "
                "seeds, and where experiments have different metrics.",
            },
        },
    )


def _figures(types: SchemaOfTypes) -> dict[str, Schema]:
    """Return the keys of an experiment in their order; the figures of its deepest safe prefix are those of rows."""
    fields = types.properties(Row)
    outcomes, others = map(get_args, get_args(Next))
    return {
        "experiment": whole("Number of the experiment, from 1."),
        "model": text("Its model."),
        "data": text("Its data set."),
        "detail": text("What tells it from another experiment on the same model and data; empty if there is none."),
        "family": text("What its configurations have in common: `freezing`."),
        "margin_pp": number("Margin of its verdicts.", may_be_null=False),
        "baseline_accuracy": number("Accuracy without freezing, mean over the seeds."),
        "baseline_accuracy_sd": number("Standard deviation of that accuracy over the seeds."),
        "baseline_train_s": number("Train time without freezing, in seconds."),
        "state": {
            "enum": list(get_args(State)),
            "description": "Whether a frozen prefix is safe, or why none is; `undecided` means inconclusive.",
        },
        "deepest_safe": text("The deepest safe prefix; `null` where none is safe.", may_be_null=True),
        "num_frozen_layers": whole("Number of layers that this prefix freezes.", may_be_null=True),
        "num_layers": whole("Number of layers of the model; `null` without a valid run.", may_be_null=True),
        "frozen_share": number("Share of the layers that this prefix freezes, 0 to 1."),
        **{name: fields[name] for name in _OF_PREFIX},
        "next_deeper": text("The next prefix that was tried; `null` without one.", may_be_null=True),
        "next_deeper_state": {
            "enum": [*outcomes, *others],
            "description": "The verdict of that prefix; `not_tried` without one, `no_deeper` where none exists.",
        },
        "num_seeds": whole("Number of seeds of the deepest safe prefix; without one, the most of any configuration."),
        "device": text("Model of the device that its costs are of.", may_be_null=True),
        "recommended": text(
            "The cheapest safe configuration where strategies are compared; else `null`.", may_be_null=True
        ),
        "metric": text("Name of the metric of its drops and verdicts."),
        "metric_unit": fields["metric_unit"],
        "baseline_metric_value": number("That metric without freezing, mean over the seeds, in its own scale."),
        "baseline_metric_sd": number("Standard deviation of that metric over the seeds."),
    }
