"""Which modules freezebench and its libraries import, where a project has files of the same names.

pytest puts the folders of tests at the beginning of ``sys.path``. A ``pickle.py`` or ``numpy/`` there would be imported
in place of the installed module by libraries that import it later. So freezebench works with the same folders in
another order: the standard library and the installed packages come first, the folders of the project after them. The
code of a user, which a model's factory is, sees them in the order that the tests see.
"""

from __future__ import annotations

import os
import site
import sys
import sysconfig
from contextlib import contextmanager, suppress
from functools import cache
from importlib.machinery import PathFinder
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

# A selection of what freezebench depends on.
_REQUIRED = ("torch", "transformers", "tokenizers", "safetensors", "huggingface_hub", "numpy", "scipy", "pyarrow")
# The order that tests see, while another one is in use: of the process, as ``sys.path`` itself is.
_of_tests: list[list[str]] = []


def installed_first(path: Sequence[str]) -> list[str]:
    """Return the entries of a ``sys.path`` with the installed modules first.

    Entries of PYTHONPATH precede them, as Python sets it: who names a folder there wants its modules.
    """
    own, installed = _entries_of_environment(), _entries_of_installation()
    return sorted(path, key=lambda entry: 0 if entry in own else 1 if entry in installed else 2)


def installed_only(path: Sequence[str]) -> list[str]:
    """Return the entries of a ``sys.path`` without the folders of the project, which no model but a factory needs.

    Libraries look for optional packages by name: a folder ``wandb`` of a project is none. Where the required ones are
    in such folders themselves, these follow the others.
    """
    known = _entries_of_environment() | _entries_of_installation()
    only = [entry for entry in installed_first(path) if entry in known]
    return only if _is_complete(tuple(only)) else installed_first(path)


def project_entries(path: Sequence[str]) -> list[str]:
    """Return the entries of a ``sys.path`` that are no part of this Python's installation, as absolute paths.

    Another machine has an installation of its own, at any place, but may have the project at the same one.
    """
    return [os.path.abspath(entry) for entry in path if entry not in _entries_of_installation()]  # noqa: PTH100


def path_of_tests() -> list[str]:
    """Return ``sys.path`` as tests see it, without what is no text, which imports ignore."""
    return _texts(_of_tests[-1] if _of_tests else sys.path)


@contextmanager
def installed_modules_first(*, with_project: bool = False) -> Iterator[None]:
    """Import installed modules rather than files of the project.

    Args:
        with_project: Whether modules that are not installed may be files of the project.
    """
    before = list(sys.path)
    of_tests = _of_tests[-1] if _of_tests else before
    is_outermost = not _of_tests
    if is_outermost:
        _of_tests.append(of_tests)
    sys.path[:] = ordered = installed_first(of_tests) if with_project else installed_only(of_tests)
    try:
        yield
    finally:
        _restore(_of_tests.pop() if is_outermost else before, ordered)


@contextmanager
def modules_of_tests() -> Iterator[None]:
    """Import what tests would import, within ``installed_modules_first``; without effect elsewhere."""
    if not _of_tests:
        yield
        return
    ordered, of_tests = list(sys.path), _of_tests.pop()
    sys.path[:] = of_tests
    try:
        yield
    finally:
        _of_tests.append(list(sys.path))  # which the code of a user may have changed
        _restore(ordered, of_tests)


def _restore(path: Sequence[str], left: Sequence[str]) -> None:
    """Set ``sys.path`` to a former value, with the entries that were added to the value that is left."""
    sys.path[:] = [*path, *(entry for entry in sys.path if entry not in left and entry not in path)]


@cache
def _is_complete(path: tuple[str, ...]) -> bool:
    """Return whether all required packages are found in these folders."""
    return all(PathFinder.find_spec(name, path) for name in _REQUIRED)


def _texts(path: Iterable[object]) -> list[str]:
    return [entry for entry in path if isinstance(entry, str)]


def _entries_of_environment() -> set[str]:
    """Return the entries of PYTHONPATH; an empty one, which stands for the current folder, is mostly a mistake."""
    if sys.flags.ignore_environment:
        return set()
    entries = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    return {os.path.abspath(entry) for entry in entries if entry}  # noqa: PTH100 - as the module site writes them


@cache
def _entries_of_installation() -> set[str]:
    """Return the entries for the standard library and for installed packages, as the interpreter writes them."""
    paths = sysconfig.get_paths()
    library = [paths["stdlib"], paths["platstdlib"], paths["purelib"], paths["platlib"]]
    names = ("lib-dynload", f"python{sys.version_info.major}{sys.version_info.minor}.zip")
    compiled = [entry for entry in _texts(sys.path) if Path(entry).name in names]
    # A .pth file may add the packages of another environment by code, as that of `uv run --with` does.
    others = [entry for entry in _texts(sys.path) if Path(entry).name in ("site-packages", "dist-packages")]
    sites = [*site.getsitepackages(), site.getusersitepackages(), *others]
    return {*library, *compiled, *sites, *(entry for folder in sites for entry in _linked(Path(folder)))}


def _linked(folder: Path) -> Iterator[str]:
    """Yield the folders that the .pth files of a folder add, as those of packages in development."""
    for file in sorted(folder.glob("*.pth")):
        with suppress(OSError, ValueError):
            for line in file.read_text(encoding="utf-8").splitlines():
                if line.strip() and not line.startswith(("#", "import ", "import\t")):
                    yield os.path.abspath(folder / line.rstrip())  # noqa: PTH100 - as the module site writes it
