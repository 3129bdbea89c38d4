"""What a session will need and can decide, computed before anything is trained."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from freezebench.errors import DataError, SettingsError, one_line
from freezebench.records.evaluated import guessed_examples
from freezebench.scoring.metrics import ACCURACY, metric_of
from freezebench.scoring.own_metric import perfect
from freezebench.units import distinct_text, with_unit
from freezebench.verdicts.constant import is_of_user
from freezebench.verdicts.metric_values import too_few_labels
from freezebench.verdicts.power import resolvable_margin

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezebench.config.settings import Settings
    from freezebench.records.data_facts import DataFacts
    from freezebench.specs.data import DataSpec

_MIN_TEST_SENTENCES = 2


def check_design(settings: Settings, grid: Sequence[str], facts: DataFacts) -> None:
    """Check that a test can be judged as its settings say.

    Raises:
        FreezebenchError: If it cannot.
    """
    check_num_sentences(settings.data, facts)
    check_test_labels(settings.data, facts)
    check_metric(settings.metric, facts)
    refuse_undecidable(settings, grid, facts)


def check_num_sentences(data: DataSpec, facts: DataFacts) -> None:
    """Check that the test split has enough distinct sentences for an interval.

    Raises:
        DataError: If it has not.
    """
    if facts.num_distinct_test < _MIN_TEST_SENTENCES:
        noun = "test sentence" if facts.num_test == 1 else "test sentences"
        raise DataError(
            f"{data.source} has {_size_text(data, facts, noun)}: an interval "
            f"needs at least {_MIN_TEST_SENTENCES} different ones. Give a larger test split."
        )


def _size_text(data: DataSpec, facts: DataFacts, noun: str) -> str:
    """Return the number of test sentences, and that of the units of the interval: distinct texts, or groups."""
    group_column = None if facts.test_groups is None else data.group_column
    return distinct_text(facts.num_test, facts.num_distinct_test, noun, group_column)


def check_test_labels(data: DataSpec, facts: DataFacts) -> None:
    """Check that the examples of the test split differ in their labels.

    Raises:
        DataError: If all have the same: a constant prediction is right then, and correlations are not defined.
    """
    labels: Sequence[object] = facts.test_labels if facts.test_values is None else facts.test_values
    if facts.task == "multi-label":
        labels = list(zip(*[iter(facts.test_labels)] * len(facts.label_names), strict=True))
    if len(set(labels)) == 1:
        of = "word" if facts.task == "token-classification" else "example"
        raise DataError(
            f"{data.source}: every {of} of the test split has the same label, so that no metric can show "
            "whether a model has learned anything. Give a test split with several labels."
        )


def check_metric(name: str | None, facts: DataFacts) -> None:
    """Check that the task of the data has a metric, with its classes, and that a user's own can be used.

    Args:
        name: Its name; ``None``: the task's usual one.
        facts: The data set.

    Raises:
        SettingsError: If it has not, or a function of the user fails on a test set, or has no value on the own one.
    """
    metric = metric_of(name, facts.task, facts.label_names)
    for part in (facts.of_test_set(), *facts.test_sets) if is_of_user(metric) else ():
        called = f"the test set {part.name}" if part.name else "the test split"
        guessed = guessed_examples(facts, part)
        try:
            values = [metric.value(guessed), metric.value(perfect(guessed))]
        except SettingsError as error:
            raise SettingsError(
                f"on {called} with made-up predictions, {one_line(error)}. Return nan where it has no value."
            ) from error
        if not part.name and all(map(math.isnan, values)):
            raise SettingsError(
                f"the metric {metric.name} returns nan on the test split, for made-up and for perfect predictions "
                "alike. Correct the function, or give a test split on which it has a value."
            )


def refuse_undecidable(settings: Settings, grid: Sequence[str], facts: DataFacts) -> None:
    """Refuse a session that could only fail: undecided fails, and no allowed number of seeds resolves a limit.

    Raises:
        SettingsError: If that is so for some configuration of the grid.
    """
    metric = metric_of(settings.metric, facts.task, facts.label_names)
    few = too_few_labels(facts, metric) if settings.limits_from else None
    # Without that, what other metrics resolve is known only from runs.
    is_known = few is not None or (metric is ACCURACY and facts.task == "sequence-classification")
    if not settings.limits_from or not is_known:
        return
    looks, num_distinct = settings.looks, facts.num_distinct_test
    if few is None:
        resolved = min(resolvable_margin(count, num_distinct, alpha=looks.alpha) for count in looks.counts)
        best = "no verdict" if math.isinf(resolved) else f"a drop below {resolved:.1f} points"
        design = f"--freeze-num-seeds={looks} on {_size_text(settings.data, facts, 'test sentences')}"
        fact, remedy = f"{design} can show {best} at best", "more seeds, more sentences, a wider limit"
    else:
        resolved, fact = math.inf, f"the test split has too few examples for any verdict ({few})"
        remedy = "a test split with more of them, another metric (--freeze-metric)"
    for freeze in grid:
        limit = settings.max_drop.get(freeze)
        if freeze != "none" and settings.policy(freeze) == "fail" and limit is not None and limit < resolved:
            raise SettingsError(
                f"{freeze} is limited to {with_unit(limit, metric.drop_unit)} ({settings.limits_from}) and "
                f"inconclusive tests fail (--freeze-inconclusive=fail), but {fact}: the run could only fail. Use "
                f"{remedy}, or skip inconclusive tests (--freeze-inconclusive=skip)."
            )
