"""Clusters whose bridge a test replaces."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

import fake_bridge
from fake_bridge import node
from freezebench import child_process
from freezebench.executors.ray import cluster
from freezebench.executors.ray.cluster import RayCluster

ANSWERS = "if command['do'] == 'request': answer(command, {'command': command})"
TWO = (node("a"), node("bb"))
Join = Callable[..., RayCluster]


def use_bridge(monkeypatch: pytest.MonkeyPatch, behaviour: str, *, nodes: Any = TWO, start: str = "") -> None:
    """Let the next cluster have a bridge that behaves in some way."""
    code, inputs = fake_bridge.script(behaviour, start), fake_bridge.inputs(list(nodes))
    command = lambda _module, _parent, descriptor, *_: [sys.executable, "-c", code, descriptor, inputs]  # noqa: E731
    monkeypatch.setattr(child_process, "command", command)
    monkeypatch.setattr(cluster, "check_address", lambda _: None)


@contextmanager
def joining(monkeypatch: pytest.MonkeyPatch) -> Iterator[Join]:
    """Yield a function that joins such clusters, which end with this context."""
    clusters: list[RayCluster] = []

    def join(
        behaviour: str = ANSWERS, *, resource: str | None = None, address: str = "auto", **bridge: Any
    ) -> RayCluster:
        use_bridge(monkeypatch, behaviour, **bridge)
        clusters.append(RayCluster(address, resource))
        clusters[-1].open()
        return clusters[-1]

    yield join
    for made in clusters:
        made.close()
