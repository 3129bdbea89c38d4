"""The figures of one configuration."""

from __future__ import annotations

import pytest

import made_up
from experiments import judged, summary_settings
from freezebench.records.reading import Reading
from freezebench.records.run_record import RunRecord
from freezebench.report.markdown import results_table
from freezebench.report.rows import row
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
