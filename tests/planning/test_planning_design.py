"""What a session will need and can decide before anything is trained."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from freezebench.config.settings import Settings, resolve
from freezebench.config.sources import Source
from freezebench.errors import DataError, SettingsError
from freezebench.planning.design import check_design, check_metric, check_num_sentences, refuse_undecidable
from freezebench.records.data_facts import SetFacts
from made_up import facts


def _settings(**flags: str) -> Settings:
    values = {"model": "tiny", "data": "made-up", **flags}
    return resolve([Source(label="{flag}", values=values)], lambda: ("embedded", "x"))


def test_a_session_that_could_only_fail_is_refused() -> None:
    """Undecided fails, and even the last look resolves more than the limit."""
    settings = _settings(num_seeds="3,5", max_drop="50,emb:0.5", inconclusive="fail")
    refuse_undecidable(settings, ["none", "emb+L0"], facts(872))
    with pytest.raises(
        SettingsError, match=r"emb is limited to 0.5 points \(--freeze-max-drop\).*can show a drop below 2\.\d points"
    ):
        refuse_undecidable(settings, ["none", "emb"], facts(872))
    refuse_undecidable(_settings(num_seeds="3", max_drop="0.5"), ["none", "emb"], facts(872))
    refuse_undecidable(_settings(num_seeds="3", inconclusive="fail"), ["none", "emb"], facts(872))


def test_a_metric_with_too_few_examples_is_refused_where_undecided_fails() -> None:
    """Whatever the limit; without a limit nothing could fail."""
    few = replace(facts(60), test_labels=(1,) * 4 + (0,) * 56)
    settings = _settings(metric="macro-f1", max_drop="50", inconclusive="fail")
    with pytest.raises(
        SettingsError, match=r"limited to 50 points of macro F1 .* any verdict \(4 of 21 needed examples of class "
    ):
        refuse_undecidable(settings, ["none", "emb"], few)
    refuse_undecidable(settings, ["none", "emb"], facts(60))
    refuse_undecidable(_settings(metric="macro-f1", inconclusive="fail"), ["none", "emb"], few)
    refuse_undecidable(_settings(metric="macro-f1", max_drop="50", inconclusive="skip"), ["none", "emb"], few)


def test_one_test_sentence_is_too_few() -> None:
    """An interval over sentences needs two of them."""
    check_num_sentences(_settings().data, facts(2))
    with pytest.raises(DataError, match="made-up has 1 test sentence: an interval needs at least 2 "):
        check_num_sentences(_settings().data, facts(1))


def test_repeated_sentences_do_not_count() -> None:
    """Twenty copies of one sentence are as good as one, and 872 of 30 texts resolve what 30 sentences do."""
    with pytest.raises(DataError, match=r"made-up has 20 test sentences \(1 distinct\): an interval needs at least 2 "):
        check_num_sentences(_settings().data, facts(20, num_distinct=1))
    settings = _settings(num_seeds="3", max_drop="5", inconclusive="fail")
    refuse_undecidable(settings, ["none", "emb"], facts(872))
    with pytest.raises(SettingsError, match=r"on 872 test sentences \(30 distinct\) can show a drop below 9\.\d "):
        refuse_undecidable(settings, ["none", "emb"], facts(872, num_distinct=30))


@pytest.mark.parametrize(
    ("flags", "changes", "message"),
    [
        ({"metric": "mcc"}, {"task": "regression"}, r"regression has no metric 'mcc'"),
        ({"metric": "f1"}, {"label_names": ("a", "b", "c")}, r"for 2 classes, and the data have 3"),
        ({"metric": "entity-f1"}, {}, r"sequence-classification has no metric 'entity-f1'\. Choose from accuracy, "),
    ],
    ids=str,
)
def test_a_metric_that_the_task_lacks_is_refused(flags: dict[str, str], changes: dict[str, Any], message: str) -> None:
    """Before a model is loaded, in a sentence that says what can be chosen."""
    with pytest.raises(SettingsError, match=message):
        check_design(_settings(**flags), ["none", "emb"], replace(facts(872), **changes))


def test_the_metric_of_a_task_is_admitted() -> None:
    """By name, and as its usual one."""
    check_metric("f1", facts(872))
    check_metric(None, replace(facts(872), task="regression", label_names=("stars",)))


def test_what_other_metrics_resolve_is_not_known_before() -> None:
    """A session of another metric is not refused for what accuracy could not resolve."""
    settings = _settings(num_seeds="3", max_drop="0.5", inconclusive="fail", metric="macro-f1")
    refuse_undecidable(settings, ["none", "emb"], facts(872))
    words = replace(facts(872), task="token-classification", label_names=("NOUN", "VERB"))
    refuse_undecidable(_settings(num_seeds="3", max_drop="0.5", inconclusive="fail"), ["none", "emb"], words)


def test_groups_are_named_where_they_are_too_few() -> None:
    """All sentences of one document are one unit of the interval."""
    one = replace(facts(872), test_groups=(0,) * 872)
    with pytest.raises(DataError, match=r"872 test sentences in 1 group \(document\): an interval needs at least 2"):
        check_num_sentences(_settings(group_column="document").data, one)


@pytest.mark.parametrize(
    ("changes", "noun"),
    [
        ({"test_labels": (1,) * 40}, "example"),
        ({"task": "regression", "test_labels": (), "test_values": (1.5,) * 40, "label_names": ("stars",)}, "example"),
        ({"task": "multi-label", "test_labels": (1, 0) * 40}, "example"),
        ({"task": "token-classification", "test_lengths": (2,) * 20, "label_names": ("O", "B-PER")}, "word"),
    ],
    ids=lambda value: str(value)[:24],
)
@pytest.mark.parametrize("metric", [None, "rmse"])
def test_a_test_split_of_one_label_is_refused(changes: dict[str, Any], noun: str, metric: str | None) -> None:
    """A constant prediction is perfect there, so that every baseline would be invalid after its training."""
    values = {} if metric is None or changes.get("task") != "regression" else {"metric": metric, "margin": "0.1"}
    data = replace(facts(40), **{"test_labels": (0,) * 40, **changes})
    with pytest.raises(DataError, match=rf"made-up: every {noun} of the test split has the same label, so that no met"):
        check_design(_settings(**values), ["none", "emb"], data)


@pytest.fixture
def own_metric(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Write a module with a metric ``f``."""

    def write(text: str) -> None:
        (tmp_path / "own_design.py").write_text(text, encoding="utf-8")
        importlib.invalidate_caches()

    monkeypatch.syspath_prepend(tmp_path)
    yield write
    sys.modules.pop("own_design", None)


@pytest.mark.parametrize(
    ("fault", "match"),
    [
        (
            "raise ValueError('late')",
            r"on the test split with made-up predictions, the metric own_design:f fails with V",
        ),
        ("return float('nan')", r"returns nan on the test split, for made-up and for perfect predictions alike"),
    ],
)
def test_a_metric_of_the_user_is_tried_on_the_test_split(
    own_metric: Callable[[str], None], fault: str, match: str
) -> None:
    """Not after hours of training: a few made-up examples do not show everything."""
    own_metric(
        f"def f(labels, predictions):\n    if len(labels) > 500: {fault}\n    return (labels == predictions).mean()\n"
    )
    check_metric("own_design:f", facts(400))
    with pytest.raises(SettingsError, match=match):
        check_metric("own_design:f", facts(872))


def test_a_metric_of_the_user_is_tried_on_further_test_sets(own_metric: Callable[[str], None]) -> None:
    """It may have no value on one of them, which is shown, but it may not fail."""
    far = SetFacts(name="far", source="far", num_test=40, test_sha256="", test_labels=(1,) * 40)
    data = replace(facts(400), test_sets=(far,))
    body = "    return (labels == predictions).mean()\n"
    own_metric(f"def f(labels, predictions):\n    if labels.min() == labels.max(): return float('nan')\n{body}")
    check_metric("own_design:f", data)
    sys.modules.pop("own_design")
    own_metric(f"def f(labels, predictions):\n    1 // (labels.max() - labels.min())\n{body}")
    with pytest.raises(
        SettingsError, match=r"on the test set far with made-up predictions, the metric own_design:f fa"
    ):
        check_metric("own_design:f", data)
