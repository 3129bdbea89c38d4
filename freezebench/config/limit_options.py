"""The options that set margins and limits, and with which saved run and how strictly a session is compared."""

from __future__ import annotations

from freezebench.config.amounts import (
    parse_amount,
    parse_amounts,
    parse_amounts_below_baseline,
    parse_metric,
)
from freezebench.config.option import Option
from freezebench.config.parsers import (
    parse_across,
    parse_bool,
    parse_cost_ratio,
    parse_policies,
    parse_run,
    parse_saving,
    parse_specs,
    parse_speedup,
    parse_time_ratio,
)

LIMIT_OPTIONS: tuple[Option, ...] = (
    Option(
        name="metric",
        metavar="METRIC",
        parser=parse_metric,
        help="what configurations are judged by: accuracy, balanced-accuracy, macro-f1, f1, mcc, auroc, log-loss, ece, "
        "entity-f1, pearson, spearman, rmse and others, or module:function of yours (default: accuracy; macro-f1 for "
        "multi-label, entity-f1 for token-classification, pearson for regression)",
    ),
    Option(
        name="margin",
        metavar="POINTS",
        parser=parse_amount,
        help="non-inferiority margin: a configuration is non-inferior if its drop of the metric is shown to be below "
        "this many percentage points (or units, if the metric has its own unit); determines the deepest safe prefix "
        "and the recommendation, and never fails a test (default: 2; a metric with its own unit has no default)",
    ),
    Option(
        name="max_drop",
        metavar="POINTS",
        parser=parse_amounts_below_baseline,
        help="assert that freezing lowers the metric by less than this many percentage points (or units, if the metric "
        "has its own unit): one number, or numbers per configuration: 2,emb+L0-4:5 (default: the limits of the marker "
        "or the preset; no limit for your own model or data, or another metric)",
    ),
    Option(
        name="max_slice_drop",
        metavar="POINTS",
        parser=parse_amount,
        help="with --freeze-slice-column: assert that the metric drops by less than this on every slice, in the unit "
        "of --freeze-max-drop "
        "(default: shown, not asserted)",
    ),
    Option(
        name="max_test_drop",
        metavar="POINTS",
        parser=parse_amount,
        help="with --freeze-test: assert that the metric drops by less than this on every further test set, in the "
        "unit of --freeze-max-drop "
        "(default: shown, not asserted)",
    ),
    Option(
        name="pool_seeds",
        metavar="YES",
        parser=parse_bool,
        is_switch=True,
        help="estimate the variance between seeds from all configurations together, which assumes that all have the "
        "same variance (default: from each configuration alone)",
    ),
    Option(
        name="min_speedup",
        metavar="TIMES",
        parser=parse_speedup,
        help="assert that training is at least this many times as fast as without freezing: one number, or numbers per "
        "configuration: emb+L0-3:1.5; trains 5 more runs in turn with 5 of the baseline (default: no limit)",
    ),
    Option(
        name="min_energy_saving",
        metavar="PERCENT",
        parser=parse_saving,
        help="assert that freezing saves at least this percentage of the energy of training: one number, or numbers "
        "per configuration; trains the same further runs as --freeze-min-speedup (default: no limit)",
    ),
    Option(
        name="min_memory_saving",
        metavar="PERCENT",
        parser=parse_saving,
        help="assert that freezing saves at least this percentage of the peak memory: one number, or numbers per "
        "configuration (default: no limit)",
    ),
    Option(
        name="max_time",
        metavar="TIMES",
        parser=parse_time_ratio,
        help="with --benchmark-compare: assert that training takes at most this many times as long as in the saved "
        "run: one number, or numbers per configuration: 1.05,emb:1.1; needs 5 seeds in both runs (default: shown, not "
        "asserted)",
    ),
    Option(
        name="max_energy",
        metavar="TIMES",
        parser=parse_cost_ratio,
        help="with --benchmark-compare: the same for the energy of training (default: shown, not asserted)",
    ),
    Option(
        name="max_memory",
        metavar="TIMES",
        parser=parse_cost_ratio,
        help="with --benchmark-compare: the same for peak memory, compared without a statistical test: 1.01 (default: "
        "shown, not asserted)",
    ),
    Option(
        name="max_regression",
        metavar="POINTS",
        parser=parse_amounts,
        help="with --benchmark-compare or --freeze-anchor: assert that the metric is worse than in the saved run by "
        "less than this many percentage points (or units, if the metric has its own unit): one number, or numbers per "
        "configuration, none included: 1,none:0.5 (default: the margin)",
    ),
    Option(
        name="anchor",
        metavar="RUN",
        parser=parse_run,
        session_wide=True,
        help="compare the metric with this saved run, too, so that small losses from one saved run to the next do not "
        "add up unnoticed: a name as --benchmark-compare takes it, a pytest-benchmark file, or a folder that "
        "--freeze-report wrote (default: no anchor)",
    ),
    Option(
        name="compare_across",
        metavar="WHAT",
        parser=parse_across,
        session_wide=True,
        help="compare with a saved run although these differ, separated by commas: model, data (the test set must be "
        "the same), lr, epochs, or another field of the protocol (default: a run that differs is not compared)",
    ),
    Option(
        name="allow_unmatched",
        metavar="SPECS",
        parser=parse_specs,
        session_wide=True,
        help="configurations that may be missing from the saved run, or from this one, without failing a session in "
        "continuous integration: freeze specs separated by commas, or all (default: no configuration may)",
    ),
    Option(
        name="inconclusive",
        metavar="POLICY",
        parser=parse_policies,
        help="outcome of an inconclusive test: skip, pass or fail; one word, or words per configuration: "
        "skip,emb+L0-5:pass (default: skip)",
    ),
)
