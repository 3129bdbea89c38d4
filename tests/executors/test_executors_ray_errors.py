"""Why a session cannot join a cluster."""

from __future__ import annotations

import importlib.util
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from freezebench.errors import FreezebenchError
from freezebench.executors.ray.errors import check_address, check_joined


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Ray seem to be installed."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: ModuleSpec("ray", None, origin="ray/__init__.py"))


def test_the_extra_is_named_where_ray_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the command; a folder of the project that has the name is not Ray."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(FreezebenchError, match=r"needs Ray, .* Run `pip install 'freezebench\[ray\]'`"):
        check_address("auto")
    monkeypatch.undo()
    (tmp_path / "ray").mkdir()
    monkeypatch.setattr("sys.path", [str(tmp_path)])
    with pytest.raises(FreezebenchError, match="needs Ray"):
        check_address("10.0.0.1:6379")


@pytest.mark.usefixtures("installed")
def test_the_ray_client_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever its address comes from; jobs are the way."""
    monkeypatch.setenv("RAY_ADDRESS", "ray://head:10001")
    with pytest.raises(
        FreezebenchError, match=r"client \(ray://head:10001\)\. Submit .* `ray job submit --working-dir"
    ):
        check_address("auto")
    check_address("10.0.0.1:6379")
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    check_address("auto")


@pytest.mark.parametrize(
    ("text", "is_over", "reason"),
    [
        ("W gcs_client.cc:210: Unauthenticated: RPC error: InvalidAuthToken: ...", False, "Set RAY_AUTH_MODE=token"),
        ("AuthenticationError: no authentication token was found", True, "Set RAY_AUTH_MODE=token"),
        ("Failed to connect to GCS at address 10.0.0.1:6379 within 5 s", False, "no Ray cluster answers there. Check"),
        (
            "RuntimeError: Version mismatch: Ray: 2.59.0",
            True,
            r"other versions of Ray or Python (RuntimeError: Version",
        ),
        ("ValueError: this node has an address", True, "cannot join the Ray cluster (ValueError: this node has an ad"),
        ("", True, "cannot join the Ray cluster (its process ended)"),
    ],
)
def test_what_ray_says_becomes_a_sentence(text: str, is_over: bool, reason: str) -> None:
    """As soon as it is printed where Ray would try for a long time."""
    with pytest.raises(FreezebenchError) as caught:
        check_joined("10.0.0.1:6379", text, is_over=is_over)
    assert reason in str(caught.value)
    assert str(caught.value).startswith("--freeze-cluster=10.0.0.1:6379: ")


def test_auto_without_a_cluster_says_how_to_start_one() -> None:
    """There is no address to check."""
    with pytest.raises(FreezebenchError, match=r"auto: no Ray cluster runs on this machine\. Start one by `ray start"):
        check_joined("auto", "ConnectionError: Could not find any running Ray instance.", is_over=True)


def test_other_output_means_nothing_yet() -> None:
    """Ray prints warnings on its way."""
    check_joined("auto", "2026-11-29 WARNING something", is_over=False)
