"""Tests on Ray clusters of this machine, which `tox run -e ray` runs; without Ray they are not collected."""

from __future__ import annotations

import importlib.util

import pytest

_RAY = importlib.util.find_spec("ray")

if _RAY is None or _RAY.origin is None:
    collect_ignore_glob = ["test_*.py"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark them: they take minutes."""
    for item in items:
        if item.path.name.startswith("test_cluster_"):
            item.add_marker(pytest.mark.ray)
            item.add_marker(pytest.mark.slow)
