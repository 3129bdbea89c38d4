"""Hub data sets: `datasets` with a small fake Hub, with its caches, and without a Hub."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import subprocess
import sys
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from freezebench.data.hub_datasets import _offline, _quiet, _tables
from freezebench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COMMIT = "a" * 40
REPO = "made/up"
FILES = {
    f"{split}.jsonl": "".join(
        json.dumps({"text": f"{split} sentence {index}", "label": index % 2, "label_text": "ny"[index % 2]}) + "\n"
        for index in range(size)
    ).encode()
    for split, size in (("train", 20), ("validation", 6), ("test", 8))
}
CLOSED = "http://127.0.0.1:9"  # a port without a server

CHILD = """
import json, sys, time
from freezebench.errors import DataError
from freezebench.specs.data import DataSpec
from freezebench.data.load import load_data
answers = []
for source in sys.argv[1:]:
    start = time.monotonic()
    try:
        data = load_data(DataSpec(source=source))
        answer = {"num_examples": data.num_examples, "sha256": data.test.sha256, "notes": data.notes,
                  "label_names": data.label_names}
    except DataError as error:
        answer = {"error": str(error)}
    answers.append({**answer, "seconds": time.monotonic() - start})
print(json.dumps({"answers": answers, "torch": "torch" in sys.modules}))
"""
DOWNLOAD = (
    "import sys; from huggingface_hub import snapshot_download; snapshot_download(sys.argv[1], repo_type='dataset')"
)


class Hub(BaseHTTPRequestHandler):
    """A Hub that serves one data set of plain files."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Print nothing."""

    def answer(self, code: int, body: bytes = b"", **headers: str) -> None:
        """Send an answer."""
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def respond(self) -> None:
        """Answer any request."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = urllib.parse.unquote(urllib.parse.urlsplit(self.path).path)
        files = f"/datasets/{REPO}/resolve/"
        if path == "/":
            self.answer(200)
        elif path.startswith(files):
            name = path.removeprefix(files).partition("/")[2]
            if name in FILES:
                etag = hashlib.sha256(FILES[name]).hexdigest()
                self.answer(200, FILES[name], ETag=f'"{etag}"', X_Repo_Commit=COMMIT)
            else:
                self.answer(404, X_Error_Code="EntryNotFound", X_Repo_Commit=COMMIT)
        elif path.startswith(f"/api/datasets/{REPO}"):
            self.answer(200, json.dumps(self.listing(path, body)).encode(), Content_Type="application/json")
        else:
            self.answer(404, X_Error_Code="RepoNotFound")

    @staticmethod
    def listing(path: str, body: bytes) -> object:
        """Return the API's description of the repository."""
        entries = [
            {"type": "file", "path": name, "size": len(content), "oid": hashlib.sha256(content).hexdigest()}
            for name, content in FILES.items()
        ]
        if "/tree/" in path:
            return entries
        if "/paths-info/" in path:
            wanted = urllib.parse.parse_qs(body.decode()).get("paths", [])
            return [entry for entry in entries if entry["path"] in wanted]
        return {"id": REPO, "sha": COMMIT, "private": False, "siblings": [{"rfilename": name} for name in FILES]}

    do_GET = do_HEAD = do_POST = respond  # noqa: N815 - names that http.server calls


@pytest.fixture(scope="module")
def hub() -> Iterator[str]:
    """Return the address of a Hub that serves one data set."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


def child(code: str, *arguments: str, home: Path, endpoint: str, **env: str) -> str:
    """Run code in an interpreter of its own, since the libraries read their environment when imported."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    clean |= {"HF_HOME": str(home), "HF_ENDPOINT": endpoint, "NO_PROXY": "127.0.0.1", **env}
    result = subprocess.run(
        [sys.executable, "-c", code, *arguments], env=clean, capture_output=True, text=True, check=True, timeout=120
    )
    if code is CHILD:
        assert result.stderr == ""  # neither progress bars nor log lines
    return result.stdout


def load(*sources: str, home: Path, endpoint: str, **env: str) -> list[dict[str, Any]]:
    """Return the results of loading these sources one after the other."""
    result = json.loads(child(CHILD, *sources, home=home, endpoint=endpoint, **env))
    assert not result["torch"]
    answers: list[dict[str, Any]] = result["answers"]
    return answers


@pytest.mark.parametrize("offline", [False, True])
def test_without_hub_and_cache(tmp_path: Path, offline: bool) -> None:
    """The error comes within seconds and gives what is missing and what to do."""
    env = {"HF_HUB_OFFLINE": "1"} if offline else {}
    answer, other = load("SetFit/sst2", "SetFit/sst2@main", home=tmp_path, endpoint=CLOSED, **env)

    why = "HF_HUB_OFFLINE is set" if offline else f"the Hub ({CLOSED}) cannot be reached"
    assert answer["error"] == (
        f"cannot load the data set 'SetFit/sst2': it is not a folder here, not in the local cache, and {why}. "
        "Run `hf download --repo-type dataset SetFit/sst2` once with network, or give --freeze-data=FOLDER with train, "
        "validation and test files, or use --freeze-preset=embedded."
    )
    assert "`hf download --repo-type dataset SetFit/sst2 --revision main`" in other["error"]
    assert answer["seconds"] + other["seconds"] < 12


def test_from_the_hub_and_then_from_the_cache(tmp_path: Path, hub: str) -> None:
    """A data set is read from the Hub, and later from the cache of `datasets`."""
    first, missing, config = load(REPO, "made/not-up", f"{REPO}:other", home=tmp_path, endpoint=hub)
    assert first["num_examples"] == {"train": 20, "validation": 6, "test": 8}
    assert (first["label_names"], first["notes"]) == (["n", "y"], [])
    assert "'made/not-up' from the Hub: Dataset 'made/not-up' doesn't exist on the Hub" in missing["error"]
    assert "BuilderConfig 'other' not found" in config["error"]

    cached, config = load(REPO, f"{REPO}:other", home=tmp_path, endpoint=CLOSED)
    assert cached["sha256"] == first["sha256"]
    assert cached["notes"] == [f"{REPO} was read from the local cache, since the Hub ({CLOSED}) cannot be reached."]
    assert cached["seconds"] < 10
    assert "'other'" in config["error"]


def test_from_what_hf_download_fetched(tmp_path: Path, hub: str) -> None:
    """Without the Hub, the files that `hf download` fetched are read, by name and by revision."""
    child(DOWNLOAD, REPO, home=tmp_path, endpoint=hub)
    for answer in load(REPO, f"{REPO}@main", f"{REPO}@{COMMIT}", home=tmp_path, endpoint=CLOSED, HF_HUB_OFFLINE="1"):
        assert answer["num_examples"] == {"train": 20, "validation": 6, "test": 8}
        assert answer["notes"][0].endswith("was read from the local cache, since HF_HUB_OFFLINE is set.")


def test_libraries_keep_their_settings() -> None:
    """Progress bars, verbosity and network mode are restored, with or without errors."""
    import datasets
    import datasets.utils.logging as log

    before = (datasets.are_progress_bars_disabled(), log.get_verbosity(), datasets.config.HF_HUB_OFFLINE)
    with contextlib.suppress(KeyError), _quiet(), _offline():
        assert datasets.are_progress_bars_disabled()
        assert datasets.config.HF_HUB_OFFLINE
        raise KeyError
    assert (datasets.are_progress_bars_disabled(), log.get_verbosity(), datasets.config.HF_HUB_OFFLINE) == before


def test_splits_are_recognised() -> None:
    """`dev` is validation unless there is a split of that name; other splits are listed as not used."""
    from datasets import ClassLabel, Dataset, Features, Value

    features = Features({"text": Value("string"), "label": ClassLabel(names=["no", "yes"]), "id": Value("int64")})
    part = Dataset.from_dict({"text": ["a", "b"], "label": [0, 1], "id": [1, 2]}, features=features)

    tables, unused = _tables("x/y", {"dev": part, "train": part, "extra": part}, ("text", "label"))
    assert list(tables) == ["train", "validation"]
    assert unused == ("extra",)
    assert (tables["train"].class_names, tables["train"].available) == (
        {"label": ("no", "yes")},
        ("text", "label", "id"),
    )
    assert tables["validation"].location(1) == "x/y, split dev, row 2"
    assert dict(tables["train"].columns) == {"text": ["a", "b"], "label": [0, 1]}

    tables, unused = _tables("x/y", {"dev": part, "validation": part, "train": part}, ("none",))
    assert (tables["validation"].name, unused) == ("x/y, split validation", ("dev",))
    assert not tables["train"].columns
    with pytest.raises(DataError, match="x/y has no split named train: it has a, b"):
        _tables("x/y", {"a": part, "b": part}, ("text",))


def test_lists_of_named_classes_keep_their_names() -> None:
    """As data sets of the Hub have tags; a data set that is for testing alone needs no train split."""
    from datasets import ClassLabel, Dataset, Features, Sequence, Value

    tags = Sequence(ClassLabel(names=["O", "B-PER"]))
    features = Features({"tokens": Sequence(Value("string")), "ner_tags": tags})
    part = Dataset.from_dict({"tokens": [["Ada", "sings"]], "ner_tags": [[1, 0]]}, features=features)
    tables, _ = _tables("x/y", {"test": part}, ("tokens", "ner_tags"), needs_train=False)
    assert dict(tables["test"].columns) == {"tokens": [["Ada", "sings"]], "ner_tags": [[1, 0]]}
    assert tables["test"].class_names == {"ner_tags": ("O", "B-PER")}
