"""Session settings: options of the whole session, by flag, ini key and default."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from freezebench.config.options import OPTIONS
from freezebench.config.session_settings import CI_VARIABLES, SessionSettings, in_ci, resolve_session
from freezebench.config.settings import check_names
from freezebench.config.sources import Source
from freezebench.errors import SettingsError
from freezebench.specs.budget import BudgetLimit


def _resolve(flags: Mapping[str, object] | None = None, ini: Mapping[str, object] | None = None) -> SessionSettings:
    return resolve_session(
        [Source(label="{flag}", values=flags or {}), Source(label="ini key {ini}", values=ini or {})]
    )


# Option: (text, attribute of the settings, value).
CASES: dict[str, tuple[str, str, object]] = {
    "prefix_cache": ("kept", "prefix_cache", "kept"),
    "prefix_cache_size": ("3GiB", "prefix_cache_bytes", 3 * 2**30),
    "cache_memory": ("64MiB", "cache_bytes", 64 * 2**20),
    "plan": ("yes", "plan", True),
    "report": ("out", "report", "out"),
    "log": ("mlflow, wandb,mlflow", "trackers", ("mlflow", "wandb")),
    "save": ("model", "save", "model"),
    "store": ("runs", "store", "runs"),
    "resume": ("no", "resume", False),
    "isolate": ("run", "isolate", "run"),
    "devices": ("cuda:1, cuda:00", "devices", ("cuda:1", "cuda:0")),
    "cluster": ("head.example:6379", "cluster", "head.example:6379"),
    "cluster_resource": ("accelerator_type:A100", "cluster_resource", "accelerator_type:A100"),
    "budget": ("40 runs", "budget", BudgetLimit(text="40 runs", max_runs=40)),
    "timeout": ("30min", "timeout_s", 1800.0),
    "anchor": ("0001_v1", "anchor", "0001_v1"),
    "compare_across": ("model, batch_size,lr", "compare_across", ("model", "batch-size", "lr")),
    "allow_unmatched": ("emb+L0+L1,head", "allow_unmatched", ("emb+L0-1", "head")),
}


def test_every_session_wide_option_is_tested() -> None:
    """The cases are complete."""
    assert set(CASES) == {option.name for option in OPTIONS if option.session_wide}


@pytest.mark.parametrize("name", CASES)
def test_every_session_wide_option_by_flag_and_ini(name: str) -> None:
    """A flag beats the ini key, the value differs from the default, and no marker can set it."""
    text, path, value = CASES[name]
    other = {"prefix_cache_size": "1GiB", "cache_memory": "1GiB", "plan": "no", "resume": "yes", "isolate": "worker"}
    another = {
        **other,
        "timeout": "1h",
        "budget": "1h",
        "devices": "all",
        "log": "tensorboard",
        "compare_across": "data",
        "allow_unmatched": "all",
    }.get(name, "9")
    another = {"cluster": "auto"}.get(name, another)
    needed = {"cluster": "auto"} if name == "cluster_resource" else {}
    assert getattr(_resolve(flags={name: text}, ini={name: another} | needed), path) == value
    assert getattr(_resolve(ini={name: text} | needed), path) == value
    assert getattr(_resolve(), path) != value
    with pytest.raises(SettingsError, match=f"there is no argument '{name}'"):
        check_names({name: text}, "freeze marker of test_x")


def test_finished_runs_are_not_reused_where_a_saved_run_is_compared_unless_requested() -> None:
    """Reused times would be those of an earlier session."""
    assert resolve_session([]).resume
    assert not resolve_session([], has_reference=True).resume
    assert resolve_session([Source(label="{flag}", values={"resume": "yes"})], has_reference=True).resume


def test_a_timeout_needs_a_process_that_can_be_ended() -> None:
    """A limit that could not be enforced is refused."""
    with pytest.raises(SettingsError, match="Leave one of them out"):
        _resolve({"isolate": "none", "timeout": "5s"})


@pytest.mark.parametrize(("text", "expected"), [("all", ("all",)), ("cpu", ("cpu",)), ("cpu,cpu", ("cpu", "cpu"))])
def test_the_cpu_may_be_named_several_times(text: str, expected: tuple[str, ...]) -> None:
    """Each time it is named, one more process trains on it."""
    assert _resolve({"devices": text}).devices == expected


def test_a_model_and_a_report_need_two_folders(tmp_path: Path) -> None:
    """However the folder is written: the plan of a session says so, too."""
    with pytest.raises(SettingsError, match=r"this is the folder of --freeze-report.* Name another folder"):
        _resolve({"report": str(tmp_path), "save": f"{tmp_path}/x/.."})
    assert _resolve({"report": str(tmp_path), "save": str(tmp_path / "model")}).report == str(tmp_path)


def test_several_devices_need_processes() -> None:
    """This process can train on one device only."""
    with pytest.raises(
        SettingsError, match=r"--freeze-isolate=none all runs train in pytest's own\. Leave one of them"
    ):
        _resolve({"isolate": "none", "devices": "cuda:0,cuda:1"})


@pytest.mark.parametrize(
    ("flags", "advice"),
    [
        ({"cluster": "auto", "devices": "all"}, "Leave one of them out"),
        ({"cluster": "auto", "isolate": "none"}, "Leave one of them out"),
        ({"cluster_resource": "accelerator_type:A100"}, "Give --freeze-cluster as well"),
    ],
)
def test_options_that_contradict_a_cluster(flags: Mapping[str, str], advice: str) -> None:
    """Each says what trains, and so does the cluster."""
    with pytest.raises(SettingsError, match=advice):
        _resolve(flags)


def test_a_cluster_may_have_a_process_for_every_run() -> None:
    """Isolation is that of local sessions."""
    assert _resolve({"cluster": "auto", "isolate": "run"}).isolate == "run"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, False),
        ({"CI": "true"}, True),
        ({"CI": "1"}, True),
        ({"CI": ""}, False),
        ({"CI": "0"}, False),
        ({"CI": "False"}, False),
        ({"JENKINS_URL": "https://ci.example.org/", "BUILD_ID": "12"}, True),
        ({"BUILD_NUMBER": "12"}, True),
        ({"TF_BUILD": "True"}, True),
        ({"TF_BUILD": "False"}, False),
        ({"TEAMCITY_VERSION": "2025.07"}, True),
        ({"CODEBUILD_BUILD_ID": "project:1"}, True),
        ({"CI": "false", "JENKINS_URL": "https://ci.example.org/"}, False),
        ({"CI": "", "BUILDKITE": "true"}, True),
    ],
)
def test_continuous_integration_is_recognised(
    monkeypatch: pytest.MonkeyPatch, values: dict[str, str], *, expected: bool
) -> None:
    """By the variables that services set; CI=false switches it off."""
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    assert in_ci() is expected


@pytest.mark.parametrize("name", CI_VARIABLES)
def test_every_variable_of_a_service_is_documented(name: str) -> None:
    """The page on continuous integration lists what counts."""
    page = Path(__file__).parents[2] / "docs" / "how-to" / "ci.md"
    assert f"`{name}`" in page.read_text(encoding="utf-8")
