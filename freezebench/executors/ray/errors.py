"""Why a session cannot join a Ray cluster, read off its address and what Ray's process says and prints."""

from __future__ import annotations

import importlib.util
import os

from freezebench.errors import FreezebenchError
from freezebench.escaping import visible

_CLIENT = "ray://"
_TOKEN = ("InvalidAuthToken", "Unauthenticated", "AuthenticationError")
_NO_CLUSTER = (
    "Failed to connect to GCS",
    "Failed to connect to Ray cluster",
    "Could not find any running Ray instance",
)
_OTHER_VERSIONS = "ersion mismatch"


def check_address(address: str) -> None:
    """Check that Ray is installed, and that a session can use an address.

    Args:
        address: ``HOST:PORT`` or ``auto``, which the variable RAY_ADDRESS may explain.

    Raises:
        FreezebenchError: If not.
    """
    spec = importlib.util.find_spec("ray")
    if spec is None or spec.origin is None:  # a folder of the project may have this name
        raise FreezebenchError(
            f"--freeze-cluster={address} needs Ray, which is not installed. Run `pip install 'freezebench[ray]'`."
        )
    meant = os.environ.get("RAY_ADDRESS", "") if address == "auto" else address
    if meant.startswith(_CLIENT):
        raise FreezebenchError(
            f"--freeze-cluster={address}: runs cannot be sent through the Ray client ({meant}). Submit the session to "
            "the cluster: `ray job submit --working-dir . -- pytest … --freeze-cluster=auto`."
        )


def check_joined(address: str, text: str, *, is_over: bool) -> None:
    """Check whether Ray's process says that it cannot join a cluster.

    Args:
        address: ``HOST:PORT`` or ``auto``.
        text: The reason that Ray gave, and the end of what its process printed.
        is_over: Whether the process has given up.

    Raises:
        FreezebenchError: If so.
    """
    # Ray tries again for a while where the token is wrong, and ends its process where there is no head.
    if any(words in text for words in _TOKEN):
        raise FreezebenchError(
            f"--freeze-cluster={address}: the Ray cluster requires a token, and this session has none or another one. "
            "Set RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN_PATH to a file with the token that `ray get-auth-token` "
            "prints on the cluster's head."
        )
    if any(words in text for words in _NO_CLUSTER):
        _raise_no_cluster(address)
    if not is_over:
        return
    reason = visible(next((line.strip() for line in text.splitlines() if line.strip()), "its process ended"))
    if _OTHER_VERSIONS in text:
        raise FreezebenchError(
            f"--freeze-cluster={address}: the cluster runs other versions of Ray or Python ({reason}). Install the "
            "same ones on all machines."
        )
    raise FreezebenchError(
        f"--freeze-cluster={address}: this machine cannot join the Ray cluster ({reason}). Run pytest on a machine "
        "that `ray start` has made part of it, and read what `ray status` says."
    )


def _raise_no_cluster(address: str) -> None:
    if address == "auto":
        raise FreezebenchError(
            "--freeze-cluster=auto: no Ray cluster runs on this machine. Start one by `ray start --head`, join one by "
            "`ray start --address=HOST:6379`, or give --freeze-cluster=HOST:PORT."
        )
    raise FreezebenchError(
        f"--freeze-cluster={address}: no Ray cluster answers there. Check that `ray status --address={address}` does, "
        "that `ray start --head` runs on that host, and that no firewall closes the port."
    )
