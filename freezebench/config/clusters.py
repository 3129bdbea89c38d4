"""Parsers of the options on Ray clusters."""

from __future__ import annotations

import re

from freezebench.errors import SettingsError

# As in a resource of `ray start --resources`: accelerator_type:A100.
_RESOURCE = re.compile(r"[A-Za-z0-9_.:-]{1,100}")
_ADDRESS = re.compile(r"(\[[0-9A-Fa-f:]+\]|[A-Za-z0-9_.-]+):([0-9]{1,5})")
_LARGEST_PORT = 2**16 - 1
_OF_RAY = ("CPU", "GPU", "memory", "object_store_memory")


def parse_cluster(text: str) -> str:
    """Return the address of a cluster's head, or ``auto``."""
    if text == "auto":
        return text
    if text.startswith("ray://"):
        raise SettingsError(
            "runs cannot be sent through the Ray client. Submit the session to the cluster: `ray job submit "
            "--working-dir . -- pytest … --freeze-cluster=auto`."
        )
    address = _ADDRESS.fullmatch(text)
    if address is None or not 0 < int(address[2]) <= _LARGEST_PORT:
        raise SettingsError(
            "give auto, the cluster that this machine is part of, or the address of its head, such as 10.0.0.1:6379."
        )
    return text


def parse_resource(text: str) -> str:
    """Return the name of a resource that nodes may have."""
    if _RESOURCE.fullmatch(text) is None or text in _OF_RAY:
        raise SettingsError(
            "give the name of one resource that `ray status` lists for the nodes to use, such as accelerator_type:A100."
        )
    return text
