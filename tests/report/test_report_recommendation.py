"""Which configuration is recommended."""

from __future__ import annotations

from typing import TYPE_CHECKING

import made_up
from experiments import judged
from freezebench.report.recommendation import recommended
from freezebench.report.rows import row
from freezebench.verdicts.judge import judge

if TYPE_CHECKING:
    from freezebench.report.recommendation import Recommendation
    from freezebench.verdicts.judge import ConfigurationResult


def _recommended(*results: ConfigurationResult) -> Recommendation | None:
    return recommended(results, [row(result) for result in results])


def test_the_cheapest_safe_configuration_is_recommended() -> None:
    """Of two safe ones the faster; the one that loses accuracy is faster still."""
    recommendation = _recommended(
        judged("none", 0.9), judged("emb", 0.9), judged("emb+L0", 0.9), judged("emb+L0-1", 0.6)
    )
    assert recommendation is not None
    assert recommendation.is_timed
    assert recommendation.row.freeze == "emb+L0"


def test_without_times_the_smallest_is_recommended() -> None:
    """A run without a clock leaves the number of trainable parameters to decide."""
    baseline = made_up.seeds("none", readings={})
    results = [judge("none", baseline, baseline, margin_pp=2.0, limit_pp=None)]
    results += [
        judge(freeze, made_up.seeds(freeze, readings={}), baseline, margin_pp=2.0, limit_pp=None)
        for freeze in ("emb", "emb+L0")
    ]
    recommendation = _recommended(*results)
    assert recommendation is not None
    assert not recommendation.is_timed
    assert recommendation.row.freeze == "emb+L0"


def test_no_freezing_is_not_a_recommendation() -> None:
    """Where nothing else is safe there is none."""
    assert _recommended(judged("none", 0.9), judged("emb", 0.6)) is None


def test_nothing_is_recommended_against_an_invalid_baseline() -> None:
    """What was judged against other seeds' baseline does not count."""
    broken = judge("none", [made_up.broken("none")], [made_up.broken("none")], margin_pp=2.0, limit_pp=None)
    assert _recommended(broken, judged("emb", 0.9)) is None
