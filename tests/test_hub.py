"""Models of the Hub, against a Hub of our own on this machine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import huggingface_hub.constants
import pytest

from fake_hub import COMMIT, FakeHub, serving
from freezebench import hub
from freezebench.errors import ModelError


@pytest.fixture
def server(tiny_model: Path, tmp_path: Path) -> Iterator[FakeHub]:
    """A Hub with one model, which has pickled weights, too, and a gated one."""
    model = Path(shutil.copytree(tiny_model, tmp_path / "served"))
    (model / "pytorch_model.bin").touch()
    with serving(FakeHub(models={"me/tiny": model}, gated={"me/gated"})) as running:
        yield running


def ask(server: FakeHub, cache: Path, *calls: str, tries_again: bool = False, **environment: str) -> list[str]:
    """Return the values of expressions, or their errors, in a process of its own that never saw the Hub.

    Nothing else is said, but for the Hub's library where it tries again.
    """
    code = (
        "import json, sys\n"
        "from freezebench.models.source import ModelSource\n"
        "from freezebench.errors import ModelError\n"
        "found = []\n"
        "for call in json.loads(sys.argv[1]):\n"
        "    try:\n"
        "        found.append(repr(eval(call)))\n"
        "    except ModelError as error:\n"
        "        found.append(str(error))\n"
        "assert 'torch' not in sys.modules\n"
        "print(json.dumps(found))\n"
    )
    variables = {**os.environ, "HF_ENDPOINT": server.url, "HF_HOME": str(cache), "HF_HUB_DISABLE_TELEMETRY": "1"}
    variables = {key: value for key, value in variables.items() if key not in ("HF_HUB_OFFLINE", "HF_HUB_CACHE")}
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps(calls)],
        env={**variables, **environment},
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ("resume download" in done.stderr) == tries_again
    assert tries_again or not done.stderr
    found: list[str] = json.loads(done.stdout)
    return found


def test_a_hub_model_is_fetched_once_and_then_used_without_the_hub(server: FakeHub, tmp_path: Path) -> None:
    """The depth takes config.json alone, the check fetches the rest, and nothing is asked again, nor any pickle."""
    assert ask(server, tmp_path, "ModelSource.resolve('me/tiny').num_layers") == ["2"]
    assert not any("safetensors" in request for request in server.requests)
    first = ask(
        server, tmp_path, "ModelSource.resolve('me/tiny').check()", "ModelSource.resolve('me/tiny').weights_sha256()"
    )
    assert not any("GET" in request and "bin" in request for request in server.requests)
    server.requests.clear()
    again = ask(
        server,
        tmp_path,
        "ModelSource.resolve('me/tiny').num_layers",
        "ModelSource.resolve('me/tiny').weights_sha256()",
        HF_HUB_OFFLINE="1",
    )
    assert again == ["2", first[1]]
    assert ask(server, tmp_path, f"ModelSource.resolve('me/tiny', {COMMIT!r}).num_layers") == ["2"]
    assert server.requests == []


def test_what_the_hub_refuses_is_said_in_one_sentence(server: FakeHub, tmp_path: Path) -> None:
    """Unknown names, revisions, terms to accept, and names that cannot be."""
    unknown, revision, gated, impossible = ask(
        server,
        tmp_path,
        "ModelSource.resolve('me/none').num_layers",
        "ModelSource.resolve('me/tiny', 'v1').num_layers",
        "ModelSource.resolve('me/gated').check()",
        "ModelSource.resolve('a b').num_layers",
    )
    assert "no model of that name on the Hub" in unknown
    assert "cannot load revision 'v1' of the model 'me/tiny': the Hub has no such commit" in revision
    assert "accepted its terms" in gated
    assert "a Hub name looks like" in impossible


def test_without_the_hub_the_message_says_how_to_get_the_model(server: FakeHub, tmp_path: Path) -> None:
    """Offline by wish or for want of an answer: the command that downloads it, and two ways around."""
    server.status = 503
    (down,) = ask(server, tmp_path, "ModelSource.resolve('me/tiny').num_layers")
    assert f"is not in the local cache, and the Hub ({server.url}) cannot be reached. Run `hf download me/tiny`" in down
    assert "--freeze-preset=embedded" in down
    server.requests.clear()
    (offline,) = ask(server, tmp_path, "ModelSource.resolve('me/tiny', 'v1').check()", HF_HUB_OFFLINE="1")
    assert "HF_HUB_OFFLINE is set. Run `hf download me/tiny --revision v1` once with network" in offline
    assert server.requests == []


def test_a_partly_cached_model_is_named_with_what_is_there(server: FakeHub, tmp_path: Path) -> None:
    """A cache that has only the configuration is no whole model."""
    ask(server, tmp_path, "ModelSource.resolve('me/tiny').num_layers")
    (message,) = ask(server, tmp_path, "ModelSource.resolve('me/tiny').check()", HF_HUB_OFFLINE="1")
    assert "is in the local cache only in part (config.json)" in message


def test_a_fetch_that_fails_half_way_is_one_sentence(server: FakeHub, tmp_path: Path) -> None:
    """A file that the Hub lists and then does not give is an error of the fetch."""
    server.lost.add("config.json")
    (message,) = ask(server, tmp_path, "ModelSource.resolve('me/tiny').num_layers")
    assert message.startswith("cannot fetch the model 'me/tiny' from the Hub: ")
    assert "hf download me/tiny" in message


@pytest.mark.slow
@pytest.mark.parametrize("stall_s", [0.0, 4.0], ids=["hangs up", "falls silent"])
def test_a_fetch_that_stops_half_way_is_one_sentence_and_goes_on_later(
    server: FakeHub, tmp_path: Path, stall_s: float
) -> None:
    """Half of the weights is no model; what was fetched is kept, and the next session has the whole."""
    server.cut, server.stall_s = {"model.safetensors"}, stall_s
    call = "ModelSource.resolve('me/tiny').check()"
    (message,) = ask(server, tmp_path, call, tries_again=True, HF_HUB_DOWNLOAD_TIMEOUT="1")
    assert message.startswith("cannot fetch the model 'me/tiny' from the Hub: ")
    assert "hf download me/tiny" in message
    server.cut.clear()
    whole, fingerprint = ask(server, tmp_path, call, "ModelSource.resolve('me/tiny').weights_sha256()")
    assert "cannot" not in whole
    assert len(fingerprint.strip("'")) == 64


def test_a_hub_that_does_not_answer_is_given_up_in_time(server: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    """The probe waits no longer than it was told, and takes an error of the server for no answer."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", server.url)
    assert hub.hub_reachable()
    server.status = 404
    assert hub.hub_reachable()
    server.status = 500
    assert not hub.hub_reachable()
    server.delay_s = 2.0
    start = time.monotonic()
    assert not hub.hub_reachable(timeout_s=0.2)
    assert time.monotonic() - start < 1.5


def test_with_the_hub_forbidden_nothing_is_sent(server: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    """``HF_HUB_OFFLINE`` is an answer of its own."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", server.url)
    assert hub.why_out_of_reach() == "HF_HUB_OFFLINE is set"
    assert not hub.hub_reachable()
    with pytest.raises(ModelError, match="HF_HUB_OFFLINE is set"):
        hub.fetched_folder("me/other", None, hub.CONFIG_FILES)
    assert server.requests == []
