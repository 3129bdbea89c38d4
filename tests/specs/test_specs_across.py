"""What may differ between two runs that are compared on request."""

from __future__ import annotations

from freezebench.config.options import BY_NAME
from freezebench.specs.across import ACROSS, across_name


def test_names_are_those_of_the_options() -> None:
    """Of the fields that an option sets; the others have their own."""
    without_option = {"weight-decay", "max-grad-norm", "evaluate-before"}
    assert {name for name in ACROSS if name.replace("-", "_") not in BY_NAME} == without_option
    assert (across_name("num_epochs"), across_name("learning_rate"), across_name("batch_size")) == (
        "epochs",
        "lr",
        "batch-size",
    )


def test_the_test_set_is_not_among_them() -> None:
    """Accuracy is compared example by example."""
    assert not [name for name in ACROSS if "test" in name]
