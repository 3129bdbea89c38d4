"""Models of the Hub, with a fake Hub on this machine."""

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


def evaluate(server: FakeHub, cache: Path, *calls: str, tries_again: bool = False, **environment: str) -> list[str]:
    """Return the values of expressions, or their errors, evaluated in a new process.

    The process prints nothing else, except for the messages of the Hub's client when it tries again.
    """
    code = (
        "import json, sys\n"
        "from freezebench.models.source import ModelSource\n"
        "from freezebench.errors import ModelError\n"
        "values = []\n"
        "for call in json.loads(sys.argv[1]):\n"
        "    try:\n"
        "        values.append(repr(eval(call)))\n"
        "    except ModelError as error:\n"
        "        values.append(str(error))\n"
        "assert 'torch' not in sys.modules\n"
        "print(json.dumps(values))\n"
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
    values: list[str] = json.loads(done.stdout)
    return values


def test_a_hub_model_is_fetched_once_and_then_used_without_the_hub(server: FakeHub, tmp_path: Path) -> None:
    """The depth needs config.json alone, the check fetches the rest; nothing is requested twice, and no pickle."""
    assert evaluate(server, tmp_path, "ModelSource.resolve('me/tiny').num_layers") == ["2"]
    assert not any("safetensors" in request for request in server.requests)
    first = evaluate(
        server,
        tmp_path,
        "ModelSource.resolve('me/tiny').check()",
        "ModelSource.resolve('me/tiny').file_hashes().weights_sha256",
    )
    assert not any("GET" in request and "bin" in request for request in server.requests)
    server.requests.clear()
    again = evaluate(
        server,
        tmp_path,
        "ModelSource.resolve('me/tiny').num_layers",
        "ModelSource.resolve('me/tiny').file_hashes().weights_sha256",
        HF_HUB_OFFLINE="1",
    )
    assert again == ["2", first[1]]
    assert evaluate(server, tmp_path, f"ModelSource.resolve('me/tiny', {COMMIT!r}).num_layers") == ["2"]
    assert server.requests == []


def test_a_refusal_of_the_hub_is_explained(server: FakeHub, tmp_path: Path) -> None:
    """Unknown names and revisions, terms to accept and impossible names have messages of their own."""
    unknown, revision, gated, impossible = evaluate(
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


def test_without_the_hub_the_message_gives_the_download_command(server: FakeHub, tmp_path: Path) -> None:
    """Offline by setting or without an answer, it also gives two alternatives."""
    server.status = 503
    (down,) = evaluate(server, tmp_path, "ModelSource.resolve('me/tiny').num_layers")
    assert f"is not in the local cache, and the Hub ({server.url}) cannot be reached. Run `hf download me/tiny`" in down
    assert "--freeze-preset=embedded" in down
    server.requests.clear()
    (offline,) = evaluate(server, tmp_path, "ModelSource.resolve('me/tiny', 'v1').check()", HF_HUB_OFFLINE="1")
    assert "HF_HUB_OFFLINE is set. Run `hf download me/tiny --revision v1` once with network" in offline
    assert server.requests == []


def test_the_cached_files_of_an_incomplete_model_are_listed(server: FakeHub, tmp_path: Path) -> None:
    """A cached configuration alone is no complete model."""
    evaluate(server, tmp_path, "ModelSource.resolve('me/tiny').num_layers")
    (message,) = evaluate(server, tmp_path, "ModelSource.resolve('me/tiny').check()", HF_HUB_OFFLINE="1")
    assert "is in the local cache only in part (config.json)" in message


def test_a_fetch_that_fails_is_explained(server: FakeHub, tmp_path: Path) -> None:
    """A file that the Hub lists and does not send is an error."""
    server.lost.add("config.json")
    (message,) = evaluate(server, tmp_path, "ModelSource.resolve('me/tiny').num_layers")
    assert message.startswith("cannot fetch the model 'me/tiny' from the Hub: ")
    assert "hf download me/tiny" in message


@pytest.mark.slow
@pytest.mark.parametrize("stall_s", [0.0, 4.0], ids=["hangs up", "falls silent"])
def test_an_interrupted_fetch_continues_later(server: FakeHub, tmp_path: Path, stall_s: float) -> None:
    """Half of the weights is an error; they are kept, and the next session fetches the rest."""
    server.cut, server.stall_s = {"model.safetensors"}, stall_s
    call = "ModelSource.resolve('me/tiny').check()"
    (message,) = evaluate(server, tmp_path, call, tries_again=True, HF_HUB_DOWNLOAD_TIMEOUT="1")
    assert message.startswith("cannot fetch the model 'me/tiny' from the Hub: ")
    assert "hf download me/tiny" in message
    server.cut.clear()
    whole, fingerprint = evaluate(server, tmp_path, call, "ModelSource.resolve('me/tiny').file_hashes().weights_sha256")
    assert "cannot" not in whole
    assert len(fingerprint.strip("'")) == 64


def test_the_probe_has_a_time_limit(server: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    """The probe ends in time, and an error of the server counts as no answer."""
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


def test_offline_mode_sends_no_request(server: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    """With ``HF_HUB_OFFLINE`` set, the Hub counts as unreachable."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", server.url)
    assert hub.why_out_of_reach() == "HF_HUB_OFFLINE is set"
    assert not hub.hub_reachable()
    with pytest.raises(ModelError, match="HF_HUB_OFFLINE is set"):
        hub.fetched_folder("me/other", None, hub.CONFIG_FILES)
    assert server.requests == []
