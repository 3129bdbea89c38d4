"""The plan: what will run, what it resolves, and what could only fail."""

from __future__ import annotations

import pytest

from freezebench.config.settings import Settings, resolve
from freezebench.config.sources import Source
from freezebench.errors import SettingsError
from freezebench.report.plan import first_runs, plan_lines, refuse_undecidable, resolution_line


def _settings(**flags: str) -> Settings:
    values = {"model": "tiny", "data": "made-up", **flags}
    return resolve([Source(label="{flag}", values=values)], lambda: ("embedded", "x"))


def test_the_plan_names_the_looks() -> None:
    """First seeds, and how far it may go."""
    lines = "\n".join(plan_lines(_settings(num_seeds="3,5,8")))
    assert "seeds 42, 43, 44, up to 49 where undecided (looks after 3,5,8 seeds)" in lines


def test_what_the_design_resolves_is_said_for_every_look() -> None:
    """About 2.2 points for 3 seeds on 872 sentences, 1.4 for 5 on 1821, as the design computed."""
    assert "3 seeds 2.2 points" in resolution_line(_settings(num_seeds="3"), 872)
    assert "5 seeds 1.4 points" in resolution_line(_settings(num_seeds="5"), 1821)
    line = resolution_line(_settings(num_seeds="3,5,8"), 872)
    assert all(f"{count} seeds " in line for count in (3, 5, 8))
    assert "expect undecided verdicts" in resolution_line(_settings(num_seeds="3"), 100)


def test_a_session_that_could_only_fail_is_refused() -> None:
    """Undecided fails, and even the last look resolves more than the limit."""
    settings = _settings(num_seeds="3,5", max_drop="50,emb:0.5", inconclusive="fail")
    refuse_undecidable(settings, ["none", "emb+L0"], 872)
    with pytest.raises(
        SettingsError, match=r"emb is limited to 0.5 points \(--freeze-max-drop\).*resolves 2\.\d points"
    ):
        refuse_undecidable(settings, ["none", "emb"], 872)
    refuse_undecidable(_settings(num_seeds="3", max_drop="0.5"), ["none", "emb"], 872)
    refuse_undecidable(_settings(num_seeds="3", inconclusive="fail"), ["none", "emb"], 872)


def test_the_number_of_runs_counts_the_first_look_and_what_is_interleaved() -> None:
    """Two configurations of three seeds; a required speed-up adds five unfrozen runs and two frozen ones."""
    assert len(first_runs({_settings(num_seeds="3,5"): ["emb"]}, with_times=True)) == 6
    timed = {_settings(num_seeds="3", min_speedup="1.5"): ["none", "emb"]}
    assert len(first_runs(timed, with_times=True)) == 13
    assert len(first_runs(timed, with_times=False)) == 6
