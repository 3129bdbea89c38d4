"""The figures of a run by name: a name that does not exist is an error, not a figure that was not measured."""

from __future__ import annotations

from typing import NoReturn

from freezebench.errors import UnknownNameError
from freezebench.records.reading import Reading
from freezebench.specs.fields import brief
from freezebench.units import did_you_mean, listed

# What every evaluation has.
EVALUATION_FIGURES = ("accuracy", "f1", "loss")
# The registry of metrics is in ``meters``, which records may not import: a test holds that both name the same.
METRIC_NAMES = (
    *("train_s", "train_and_eval_s", "evaluation_s", "warmup_s", "prefix_s"),
    *("data_s", "forward_s", "backward_s", "optimizer_s", "step_s", "step_p95_s"),
    *("samples_per_s", "steps_per_s", "step_flop"),
    *("energy_j", "energy_integrated_j", "cpu_energy_j", "dram_energy_j"),
    *("mean_power_w", "peak_power_w", "start_temperature_c"),
    *("peak_allocated_bytes", "peak_reserved_bytes", "peak_device_used_bytes", "peak_rss_bytes", "start_rss_bytes"),
    "prefix_bytes",
    *("allocated_parameters_bytes", "allocated_gradients_bytes", "allocated_optimizer_bytes", "allocated_rest_bytes"),
    *("weights_added_bytes", "weights_merged_bytes"),
    *("contended_share", "cpu_wait_s", "cpu_s", "steal_s", "cpu_pressure_s", "cpu_throttled_s"),
)
_MOST_LISTED = 8


class Readings(dict[str, Reading]):
    """Readings by the name of their metric; with several GPUs also ``name[GPU-…]`` for each of them.

    A name that is not there raises a ``KeyError`` that says whether it is misspelt or was not measured here.
    """

    def __missing__(self, name: str) -> NoReturn:
        """Refuse a name.

        Raises:
            UnknownNameError: Always.
        """
        check_name(name, METRIC_NAMES)
        if not self:
            raise UnknownNameError(
                f"there is no reading {brief(name)}: there are none yet, or none any more. Take those of a window "
                "after its with block, and those of a run that is valid."
            )
        there = listed(sorted(self), _MOST_LISTED)
        raise UnknownNameError(
            f"there is no reading {brief(name)} here: there are {there}. Use get() if it may be missing."
        )


def check_name(name: str, names: tuple[str, ...] = (*EVALUATION_FIGURES, *METRIC_NAMES)) -> None:
    """Check that a figure exists, whether or not it was measured.

    Raises:
        UnknownNameError: If it does not.
    """
    given: object = name
    text = given if isinstance(given, str) else brief(given)
    if text.partition("[")[0] not in names:
        raise UnknownNameError(f"there is no figure {brief(name)}.{did_you_mean(text, names)}")
