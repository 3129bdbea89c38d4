"""Start a module of this package in a new process, in which no file of a project hides what the module imports.

``command`` gives the command line. It runs this file as a script, by its path and with ``-P``: neither the current
folder nor the script's own is in ``sys.path``, so that a ``json.py`` there is not imported. The script loads the
package that it is part of, wherever that lies, and calls the module's ``main``.
"""

from __future__ import annotations

import importlib
import os
import sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from pathlib import Path

_FOLDER = Path(__file__).absolute().parent
_PACKAGE = _FOLDER.name


def command(module: str, *arguments: str) -> list[str]:
    """Return the command line of a process that calls ``main`` of a module with the given arguments.

    Raises:
        FileNotFoundError: If the path of the interpreter is not known.
    """
    if not sys.executable:
        raise FileNotFoundError("the path of this Python interpreter is unknown (sys.executable is empty)")
    return [sys.executable, "-P", str(_FOLDER / "child_process.py"), module, *arguments]


def environment() -> dict[str, str]:
    """Return the environment for such a process: this one's, where no empty entry of PYTHONPATH names a folder.

    Python takes it for the current folder, but it mostly comes from ``PYTHONPATH=/some/folder:$PYTHONPATH``.
    """
    path = os.pathsep.join(filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep)))
    return {**os.environ, **({"PYTHONPATH": path} if "PYTHONPATH" in os.environ else {})}


def load_package() -> None:
    """Make this package importable without its folder in ``sys.path``, where the files beside it would hide others."""
    loaded = sys.modules.get(_PACKAGE)
    if loaded is not None and str(_FOLDER) in getattr(loaded, "__path__", ()):
        return
    # Another copy, which a sitecustomize.py has imported, is not that of the parent.
    for name in [name for name in sys.modules if name.partition(".")[0] == _PACKAGE]:
        del sys.modules[name]
    spec = PathFinder.find_spec(_PACKAGE, [str(_FOLDER.parent)])
    assert spec is not None  # noqa: S101 - this file is in it
    assert spec.loader is not None  # noqa: S101
    sys.modules[_PACKAGE] = package = module_from_spec(spec)
    spec.loader.exec_module(package)


if __name__ == "__main__":
    load_package()
    importlib.import_module(sys.argv[1]).main(*sys.argv[2:])
