"""The figures of one configuration."""

from __future__ import annotations

from dataclasses import replace

import pytest

import made_up
from experiments import judged, summary_settings
from freezebench.records.reading import Reading
from freezebench.records.run_record import RunRecord
from freezebench.report.markdown import results_table
from freezebench.report.rows import Row, row
from freezebench.report.summary import summarize
from freezebench.verdicts.judge import judge


def test_savings_are_against_the_baseline() -> None:
    """Speed-up and memory saving compare with no freezing; one seed has no spread."""
    figures = row(judged("emb", 0.9))
    assert figures.speedup == pytest.approx(2.0)
    assert figures.memory_saving == pytest.approx(0.25)
    assert figures.energy_saving is None
    assert figures.accuracy_sd is not None
    assert row(judged("emb", 0.9, num=1)).accuracy_sd is None


def _on_gpu(freeze: str, energy_j: float) -> list[RunRecord]:
    readings = {
        "train_s": Reading(value=10.0, unit="s", source="clock"),
        "peak_allocated_bytes": Reading(value=2.0**30, unit="B", source="torch"),
        "energy_j": Reading(value=energy_j, unit="J", source="NVML", uncertainty=0.05 * energy_j),
    }
    return made_up.seeds(freeze, device="cuda:0", device_name="a GPU", readings=readings)


def test_energy_is_shown_per_thousand_samples_and_its_saving_with_its_uncertainty() -> None:
    """The uncertainties of both arms add up; on a GPU its own memory and energy are the headline."""
    baseline, candidate = _on_gpu("none", 1000.0), _on_gpu("emb", 600.0)
    result = judge("emb", candidate, baseline, margin_pp=2.0, limit_pp=None)
    figures = row(result)
    assert (figures.memory_metric, figures.energy_metric) == ("peak_allocated_bytes", "energy_j")
    assert figures.energy_per_1000_samples_j == pytest.approx(1000 * 600 / (100 * 2))
    assert figures.energy_saving == pytest.approx(0.4)
    assert figures.energy_saving_uncertainty == pytest.approx(0.6 * 0.1)
    table = results_table(
        summarize([judge("none", baseline, baseline, margin_pp=2.0, limit_pp=None), result], summary_settings())
    )
    assert "40 % ± 6" in table
    assert "J per 1000" in table
    assert "GPU" in table


def _timed(freeze: str, seconds: list[float], *, num_contended: int = 0) -> list[RunRecord]:
    """Return runs with these train times and ten times the energy; the last ones trained beside other work."""
    runs = []
    for index, (run, time_s) in enumerate(zip(made_up.seeds(freeze, num=len(seconds)), seconds, strict=True)):
        timed = {
            "train_s": Reading(value=time_s, unit="s", source="clock"),
            "cpu_energy_j": Reading(value=10 * time_s, unit="J", source="RAPL", uncertainty=0.1 * time_s),
        }
        changed = replace(run, readings={**run.readings, **timed})
        runs.append(made_up.contended(changed) if index >= len(seconds) - num_contended else changed)
    return runs


def _row(candidate: list[RunRecord], baseline: list[RunRecord]) -> Row:
    return row(judge("emb", candidate, baseline, margin_pp=2.0, limit_pp=None))


def test_a_speedup_has_an_interval_over_the_seeds() -> None:
    """Three pairs show a gain; the baseline is compared with nothing."""
    baseline = _timed("none", [20.0, 22.0, 21.0])
    figures = _row(_timed("emb", [10.0, 10.5, 10.4]), baseline)
    assert figures.speedup_lower is not None
    assert figures.speedup_upper is not None
    assert 1.9 < figures.speedup_lower < (figures.speedup or 0) < figures.speedup_upper < 2.2
    assert figures.speedup_outcome == "gain"
    own = row(judge("none", baseline, baseline, margin_pp=2.0, limit_pp=None))
    assert (own.speedup, own.speedup_lower, own.speedup_outcome) == (1.0, None, "unknown")


def test_contended_runs_are_left_out_of_times_and_energies() -> None:
    """The row has the figures of the undisturbed seeds, and says how many it has not."""
    figures = _row(_timed("emb", [10.0, 10.0, 70.0], num_contended=1), _timed("none", [20.0, 20.0, 20.0]))
    assert (figures.train_s, figures.energy_j) == (10.0, 100.0)
    assert figures.speedup == pytest.approx(2.0)
    assert figures.energy_saving == pytest.approx(0.5)
    assert (figures.num_contended, figures.contended_share, figures.is_contended) == (1, 0.41, False)


def test_times_that_are_all_contended_are_shown_and_compared_with_nothing() -> None:
    """Values stay, speed-up and saving of energy have none; peak memory counts as ever."""
    figures = _row(_timed("emb", [50.0, 60.0, 70.0], num_contended=3), _timed("none", [20.0, 20.0, 20.0]))
    assert (figures.train_s, figures.energy_j, figures.is_contended) == (60.0, 600.0, True)
    assert (figures.speedup, figures.speedup_lower, figures.energy_saving) == (None, None, None)
    assert figures.energy_saving_uncertainty is None
    assert figures.memory_saving == pytest.approx(0.25)
    assert figures.speedup_reason == (
        "3 of 3 seeds trained on a busy machine: up to 41 % of the training time threads waited for a processor; "
        "run it again alone (--freeze-resume=no)"
    )


def test_a_contended_baseline_leaves_no_speedup() -> None:
    """A candidate's own times may be right; without those of the baseline they are no multiple of anything."""
    figures = _row(_timed("emb", [10.0, 10.0]), _timed("none", [90.0, 90.0], num_contended=2))
    assert (figures.train_s, figures.is_contended, figures.speedup, figures.energy_saving) == (10.0, False, None, None)
