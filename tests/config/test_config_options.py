"""The options table."""

from __future__ import annotations

from freezebench.config.options import OPTIONS


def test_the_list_of_options_is_golden() -> None:
    """No option is added, renamed or moved by accident."""
    assert [option.flag for option in OPTIONS] == [
        "--freeze-grid",
        "--freeze-preset",
        "--freeze-model",
        "--freeze-data",
        "--freeze-text-column",
        "--freeze-label-column",
        "--freeze-bad-rows",
        "--freeze-num-seeds",
        "--freeze-seed",
        "--freeze-epochs",
        "--freeze-batch-size",
        "--freeze-lr",
        "--freeze-max-train",
        "--freeze-max-length",
        "--freeze-dropout",
        "--freeze-engine",
        "--freeze-prefix-mode",
        "--freeze-batch-order",
        "--freeze-prefix-cache",
        "--freeze-prefix-cache-size",
        "--freeze-cache-memory",
        "--freeze-device",
        "--freeze-devices",
        "--freeze-cluster",
        "--freeze-cluster-resource",
        "--freeze-precision",
        "--freeze-margin",
        "--freeze-max-drop",
        "--freeze-pool-seeds",
        "--freeze-min-speedup",
        "--freeze-min-energy-saving",
        "--freeze-min-memory-saving",
        "--freeze-max-time",
        "--freeze-max-energy",
        "--freeze-max-memory",
        "--freeze-max-regression",
        "--freeze-anchor",
        "--freeze-compare-across",
        "--freeze-allow-unmatched",
        "--freeze-inconclusive",
        "--freeze-claims",
        "--freeze-plan",
        "--freeze-report",
        "--freeze-save",
        "--freeze-store",
        "--freeze-resume",
        "--freeze-isolate",
        "--freeze-timeout",
    ]
