"""Broken runs that a rerun trains again."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest

import made_up
from freezebench.config.settings import Settings, resolve
from freezebench.config.sources import Source
from freezebench.planning.finished import FinishedRuns, NeededRun
from freezebench.planning.interleaving import needed_interleaved_runs
from freezebench.planning.retries import forget_faults
from freezebench.records.run_record import InvalidCause, RunRecord

# Another attempt may go well; the other causes follow from the figures, the model or the files.
TRANSIENT = {"crash", "killed", "timeout", "out_of_memory"}


def _settings() -> Settings:
    values = {"model": "tiny", "data": "made-up", "min_speedup": "1.5"}
    return resolve([Source(label="{flag}", values=values)], lambda: ("embedded", "x"))


def _add(finished: FinishedRuns, record: RunRecord) -> RunRecord:
    record = replace(record, spec=_settings().run_spec(record.spec.freeze, record.spec.seed))
    finished.add(NeededRun(spec=record.spec), record)
    return record


@pytest.mark.parametrize("cause", get_args(InvalidCause))
def test_only_faults_that_another_attempt_may_not_have_are_forgotten(cause: InvalidCause) -> None:
    """Of the configuration and of its baseline; valid runs stay, whatever their figures are."""
    finished = FinishedRuns()
    kept = [_add(finished, made_up.record("none", 42)), _add(finished, made_up.record("emb", 42, accuracy=0.1))]
    other = _add(finished, replace(made_up.broken("L0", 43), cause=cause))
    broken = [_add(finished, replace(made_up.broken(freeze, 43), cause=cause)) for freeze in ("none", "emb")]
    forgotten = forget_faults(_settings(), "emb", finished)
    assert forgotten == (broken if cause in TRANSIENT else [])
    assert list(finished.records.values()) == [*kept, other, *([] if cause in TRANSIENT else broken)]
    assert forget_faults(_settings(), "emb", finished) == []


def test_a_series_with_a_run_that_broke_trains_anew() -> None:
    """As a whole, in the same minutes; the baseline of an accuracy verdict is another record."""
    settings, finished = _settings(), FinishedRuns()
    _add(finished, made_up.record("none", 42))
    series = needed_interleaved_runs(settings, "emb", finished)
    finished.add(series[0], made_up.record("none", 42))
    broken = replace(made_up.broken("emb", 42), spec=series[1].spec, cause="killed")
    finished.add(series[1], broken)
    assert needed_interleaved_runs(settings, "emb", finished) == []
    assert forget_faults(settings, "emb", finished) == [broken]
    assert needed_interleaved_runs(settings, "emb", finished) == series
