"""The executor, what runs cost, and the session's choice of a preset."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import made_up
from freezebench.config.settings import Settings, resolve
from freezebench.config.sources import Source
from freezebench.errors import ModelError, SettingsError
from freezebench.models import availability as assets
from freezebench.planning.schedule import Executor
from freezebench.records.reading import Reading
from freezebench.records.run_record import RunRecord
from freezebench.report import files
from freezebench.runs.costs import combine, timing_readings
from freezebench.session import FreezeSession
from freezebench.specs.run import RunSpec


def _settings(**flags: str) -> Settings:
    values = {"model": "tiny", "data": "made-up", **flags}
    return resolve([Source(label="{flag}", values=values)], lambda: ("embedded", "x"))


def _executor(*, broken: str = "") -> tuple[Executor, list[str]]:
    ran: list[str] = []

    def run(spec: RunSpec) -> RunRecord:
        ran.append(f"{spec.freeze} {spec.seed}")
        if spec.freeze == broken:
            raise ModelError("no such model")
        return made_up.record(spec.freeze, spec.seed)

    return Executor(run), ran


def test_each_run_is_done_once_and_the_baseline_first() -> None:
    """Results share the baseline's runs."""
    executor, ran = _executor()
    settings = _settings(num_seeds="2")
    executor.result(settings, "emb")
    executor.result(settings, "none")
    executor.result(settings, "emb+L0")
    assert ran == ["none 42", "none 43", "emb 42", "emb 43", "emb+L0 42", "emb+L0 43"]
    assert len(executor.records) == 6


def test_nothing_is_trained_against_a_broken_baseline() -> None:
    """The first broken seed ends the baseline, and candidates are invalid without a run."""
    executor, ran = _executor(broken="none")
    result = executor.result(_settings(), "emb")
    assert ran == ["none 42"]
    assert result.standing == "broken"
    assert "no such model" in str(result.broken)


def test_a_broken_seed_ends_its_configuration_only() -> None:
    """The rest of the grid goes on."""
    executor, ran = _executor(broken="emb")
    assert executor.result(_settings(), "emb").standing == "broken"
    assert executor.result(_settings(), "emb+L0").standing == "ok"
    assert ran.count("emb 42") == 1
    assert "emb 43" not in ran


def test_limits_come_from_the_settings() -> None:
    """Each configuration is held to its own limit."""
    executor, _ = _executor()
    settings = _settings(max_drop="3,emb:7")
    gates = [executor.result(settings, spec).gate for spec in ("emb", "emb+L0")]
    assert [gate.margin_pp for gate in gates if gate] == [7.0, 3.0]


def _by_accuracy(**accuracies: float) -> tuple[Executor, list[str]]:
    """Return an executor whose configurations reach the given accuracies, and the order in which it ran them."""
    ran: list[str] = []

    def run(spec: RunSpec) -> RunRecord:
        ran.append(f"{spec.freeze} {spec.seed}")
        return made_up.record(spec.freeze, spec.seed, accuracy=accuracies.get(spec.freeze, 0.9))

    return Executor(run), ran


def test_seeds_stop_as_soon_as_a_configuration_is_decided() -> None:
    """What is clear after the first look gets no second one; what is not runs on, and the baseline with it."""
    executor, ran = _by_accuracy(emb=0.9, **{"emb+L0": 0.875})
    settings = _settings(num_seeds="3,5,6")
    clear, close = executor.result(settings, "emb"), executor.result(settings, "emb+L0")
    assert clear.verdict
    assert close.verdict
    assert (clear.verdict.outcome, clear.verdict.num_seeds) == ("non_inferior", 3)
    assert (close.verdict.outcome, close.verdict.num_seeds) == ("inconclusive", 6)
    assert clear.verdict.alpha == close.verdict.alpha == 0.02
    assert [run for run in ran if run.startswith("none")] == [f"none {seed}" for seed in range(42, 48)]
    assert sum(run.startswith("emb ") for run in ran) == 3
    assert len(executor.result(settings, "none").records) == 3
    assert len(executor.unfrozen(settings).records) == 6


def test_seeds_are_added_for_the_limit_as_well_as_for_the_margin() -> None:
    """A configuration that is decided at the margin runs on while its limit is open."""
    executor, _ = _by_accuracy(emb=0.85)
    result = executor.result(_settings(num_seeds="2,4", max_drop="5"), "emb")
    assert result.verdict
    assert result.gate
    assert (result.verdict.outcome, result.gate.outcome, result.gate.num_seeds) == ("inferior", "inconclusive", 4)


def test_required_speed_is_measured_side_by_side() -> None:
    """Unfrozen and frozen runs alternate A B B A, five of each; the frozen ones serve the accuracy verdict, too."""
    executor, ran = _by_accuracy()
    result = executor.result(_settings(num_seeds="3", min_speedup="emb:1.5"), "emb")
    assert ran[:3] == ["none 42", "none 43", "none 44"]
    order = ["none", "emb", "emb", "none", "none", "emb", "emb", "none", "none", "emb"]
    assert [run.split()[0] for run in ran[3:]] == order
    assert [part.standing for part in result.parts] == ["ok"]
    assert (
        result.parts[0].sentence == "train time: 2.00× of at least 1.5× the speed of no freezing, 5 interleaved pairs"
    )
    executor.result(_settings(num_seeds="3", min_speedup="emb:1.5"), "emb")
    assert len(ran) == 13


def test_required_savings_count_only_where_they_are_asked_for() -> None:
    """Without times (--benchmark-disable) nothing is interleaved, and memory is still judged."""
    executor, ran = _by_accuracy()
    settings = _settings(num_seeds="2", min_speedup="1.5", min_memory_saving="30", min_energy_saving="5")
    result = executor.result(settings, "emb", with_times=False)
    assert len(ran) == 4
    assert [(part.quantity, part.standing) for part in result.parts] == [("peak memory", "worse")]
    assert result.standing == "worse"


def test_pooled_seeds_train_the_first_look_of_the_grid_before_judging() -> None:
    """The first verdict rests on the variance between seeds of all configurations."""
    alone, _ = _by_accuracy()
    pooled, ran = _by_accuracy()
    grid = ["none", "emb", "emb+L0"]
    own = alone.result(_settings(num_seeds="3"), "emb", grid=grid).verdict
    shared = pooled.result(_settings(num_seeds="3", pool_seeds="yes"), "emb", grid=grid).verdict
    assert len(ran) == 9
    assert own
    assert shared
    assert own.drop_pp == shared.drop_pp
    assert own.df != shared.df


def _reading(value: float | None, unit: str, **options: Any) -> Reading:
    if value is None:
        return Reading.not_measured(unit, "test", "no sensor")
    return Reading(value=value, unit=unit, source="test", **options)


def test_stretches_of_training_make_one_reading() -> None:
    """Energies add up with their uncertainties, peaks are the largest, starts the first, powers the mean."""
    windows = [
        {
            "energy_j": _reading(10, "J", uncertainty=1, num_samples=3),
            "peak_rss_bytes": _reading(5, "B"),
            "start_rss_bytes": _reading(4, "B"),
            "mean_power_w": _reading(100, "W"),
        },
        {
            "energy_j": _reading(20, "J", uncertainty=2, num_samples=4),
            "peak_rss_bytes": _reading(7, "B"),
            "start_rss_bytes": _reading(6, "B"),
            "mean_power_w": _reading(300, "W"),
        },
    ]
    whole = combine(windows)
    assert {name: reading.value for name, reading in whole.items()} == {
        "energy_j": 30,
        "peak_rss_bytes": 7,
        "start_rss_bytes": 4,
        "mean_power_w": 200,
    }
    assert (whole["energy_j"].uncertainty, whole["energy_j"].num_samples) == (3, 7)
    assert whole["energy_j"].status == "measured"


def test_what_one_stretch_lacks_is_partial_and_what_all_lack_is_absent() -> None:
    """A sum over part of the run does not pass for the whole."""
    part = combine([{"energy_j": _reading(10, "J", coverage=1.0)}, {"energy_j": _reading(None, "J")}])["energy_j"]
    assert (part.value, part.status, part.reason, part.coverage) == (10, "partial", "no sensor", 0.5)
    none = combine([{"energy_j": _reading(None, "J")}] * 2)["energy_j"]
    assert (none.value, none.reason) == (None, "no sensor")


def test_times_and_throughput() -> None:
    """Throughput counts sentences of all epochs over training time alone."""
    result: Any = SimpleNamespace(
        step_losses=(1.0,) * 4,
        step_s=(1.0, 2.0, 3.0, 10.0),
        epochs=(1, 2),
        train_s=16.0,
        train_and_eval_s=20.0,
        warmup_s=1.0,
        phase_s={"data": 1.0, "forward": 5.0},
        step_flop=1000,
    )
    readings = {name: reading.value for name, reading in timing_readings(result, num_examples=80).items()}
    assert readings["samples_per_s"] == 10
    assert readings["steps_per_s"] == 0.25
    assert readings["step_s"] == 2.5
    assert readings["step_p95_s"] == 10
    assert (readings["data_s"], readings["forward_s"], readings["evaluation_s"]) == (1, 5, 4)
    assert readings["step_flop"] == 1000


def _session(**options: Any) -> FreezeSession:
    return FreezeSession({}, {}, **options)


def test_the_default_preset_follows_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """SST-2 with a GPU and its assets, else the embedded one, said with its reason."""
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setattr(assets, "cuda_visible", lambda: False)
    settings = _session().options.settings()
    assert (settings.preset, settings.preset_reason) == ("embedded", "the default without a CUDA GPU")
    monkeypatch.setattr(assets, "cuda_visible", lambda: True)
    monkeypatch.setattr(assets, "hub_state", lambda *_: SimpleNamespace(available=True, reason="the Hub answers"))
    assert _session().options.settings().preset == "distilbert-sst2"
    monkeypatch.setattr(assets, "hub_state", lambda *_: SimpleNamespace(available=False, reason="the Hub is silent"))
    settings = _session().options.settings()
    assert (settings.preset, settings.preset_reason) == ("embedded", "the fallback, since the Hub is silent")


@pytest.mark.parametrize("reason", ["ci", "reference"])
def test_nothing_falls_back_where_nobody_watches(monkeypatch: pytest.MonkeyPatch, reason: str) -> None:
    """Under CI, and with a reference to compare with, a silent Hub is an error."""
    monkeypatch.setattr(assets, "cuda_visible", lambda: True)
    monkeypatch.setattr(assets, "hub_state", lambda *_: SimpleNamespace(available=False, reason="the Hub is silent"))
    monkeypatch.delenv("CI", raising=False)
    if reason == "ci":
        monkeypatch.setenv("CI", "true")
    with pytest.raises(SettingsError, match=r"the Hub is silent.*no falling back"):
        _session(has_reference=reason == "reference").options.settings()


def test_a_report_that_cannot_be_written_is_told_and_fails_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A disk that fills up while runs train costs the file, not the results."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "write_whole", full)
    session = FreezeSession({"report": str(tmp_path)}, {})
    session.write_report()
    assert "No space left on device" in str(session.report_problem)
    monkeypatch.undo()
    session.write_report()
    assert session.report_problem is None
    assert [path.name for path in session.written] == ["report.md", "report.csv", "report.json"]


def test_a_named_preset_is_never_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine is not even looked at."""
    monkeypatch.setattr(assets, "cuda_visible", lambda: pytest.fail("asked"))
    assert FreezeSession({"preset": "notebook"}, {}).options.settings().preset == "notebook"
