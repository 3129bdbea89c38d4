"""A cluster that requires a token."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from clusters import LocalCluster
from freezebench.cli import main

TOKEN = "a" * 64
MODE = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": TOKEN}


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    """One node."""
    made = LocalCluster([{}], **MODE)
    yield made
    made.close()


@pytest.mark.parametrize(
    "variables", [{}, {"RAY_AUTH_MODE": "token"}, {**MODE, "RAY_AUTH_TOKEN": "b" * 64}], ids=["none", "empty", "other"]
)
def test_a_session_without_the_token_is_told_where_it_belongs(
    cluster: LocalCluster,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    variables: dict[str, str],
) -> None:
    """Exit code 4, and the variables to set; Ray alone would try again for a while and then say nothing of it."""
    for name in MODE:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/nonexistent")  # a token in the home folder of the user is not that of this cluster
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert main(["doctor", f"--freeze-cluster={cluster.address}"]) == 4
    error = capsys.readouterr().err
    assert "requires a token, and this session has none or another one. Set RAY_AUTH_MODE=token" in error


def test_a_session_with_the_token_joins(
    cluster: LocalCluster, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its actors have the token from their node."""
    for name in (*MODE, "TMPDIR", "RAY_TMPDIR", "PYTHONPATH"):
        monkeypatch.setenv(name, cluster.environment[name])
    assert main(["doctor", f"--freeze-cluster={cluster.address}"]) == 0
    assert " cpu: device" in capsys.readouterr().out
