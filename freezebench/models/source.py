"""Resolve a model's name to its source: the embedded checkpoint, a folder, a factory, or the Hub. Imports no torch."""

from __future__ import annotations

import importlib
import inspect
import re
import stat
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from freezebench import hub
from freezebench.errors import FreezebenchError, ModelError
from freezebench.import_path import modules_of_tests
from freezebench.models import checkpoint, embedded
from freezebench.models.task_heads import num_stored_outputs, stated_task
from freezebench.specs.fields import brief
from freezebench.specs.names import TASKS

if TYPE_CHECKING:
    from freezebench.models.checkpoint import Config, FileHashes
    from freezebench.specs.names import TaskName

Kind = Literal["embedded", "folder", "factory", "hub"]
# Called with the number of classes, and a seed if it takes one; load_model checks that it returns (model, tokenizer).
Factory = Callable[..., object]

_SHOWN = 80  # characters of a name that is no usable path
_FACTORY = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")


@dataclass(frozen=True, kw_only=True)
class ModelSource:
    """Where a model comes from, resolved once per session and passed to everything that reads the model.

    Folder, configuration, depth and class names are read at the first use and kept. Hashes are computed at each call,
    since a user may change the files while a session runs.

    Attributes:
        kind: What the name denotes.
        name: The name as it was given; messages quote it.
        revision: Hub revision, if one was given.
    """

    kind: Kind
    name: str
    revision: str | None = None

    @classmethod
    def resolve(cls, name: str, revision: str | None = None) -> ModelSource:
        """Return the source that a name denotes; a folder of that name takes precedence over a factory and the Hub.

        Raises:
            ModelError: If the name is a path to no folder, or a revision is given for a model that is not on the Hub.
        """
        kind = _kind(name)
        if revision is not None and kind != "hub":
            raise ModelError(
                f"cannot load revision {revision!r} of the model {name!r}: only models from the Hub have revisions. "
                "Leave it out."
            )
        return cls(kind=kind, name=name, revision=revision)

    @cached_property
    def factory(self) -> Factory:
        """The function that ``module:factory`` names.

        Raises:
            ModelError: If there is no such module or function, or importing it fails.
        """
        module_name, _, attribute = self.name.partition(":")
        try:
            with modules_of_tests():
                value: object = importlib.import_module(module_name)
        except FreezebenchError:
            raise
        except ModuleNotFoundError as error:
            raise ModelError(
                f"cannot load the model {self.name!r}: there is no module {error.name!r} to import. Install it, or add "
                "its folder to pytest's ini option pythonpath."
            ) from error
        except (Exception, SystemExit) as error:
            raise ModelError(
                f"cannot load the model {self.name!r}: importing {module_name} fails with {type(error).__name__}: "
                f"{error}. Correct the module."
            ) from error
        try:
            for part in attribute.split("."):
                value = getattr(value, part)
        except AttributeError as error:
            raise ModelError(f"cannot load the model {self.name!r}: {error}. Check the name of the factory.") from error
        if not callable(value):
            raise ModelError(
                f"cannot load the model {self.name!r}: {attribute} is a {type(value).__name__}, not a function. "
                "Write def factory(num_labels) that returns (model, tokenizer)."
            )
        return value

    @cached_property
    def factory_parameters(self) -> frozenset[str]:
        """The names of a factory's parameters; none of another source."""
        if self.kind != "factory":
            return frozenset()
        try:
            return frozenset(inspect.signature(self.factory).parameters)
        except (TypeError, ValueError):
            return frozenset()  # a callable without a signature

    @property
    def depends_on_seed(self) -> bool:
        """Whether the model is made by a factory with a parameter ``seed``: its embeddings and layers may differ."""
        return "seed" in self.factory_parameters

    @cached_property
    def config(self) -> Config:
        """The content of the model's config.json, fetched alone from the Hub if it is not cached.

        Raises:
            ModelError: If the model or its configuration cannot be read.
        """
        # Not through ``folder``, which would fetch the weights, too: listing a grid needs the configuration alone.
        if self.kind == "embedded":
            folder = embedded.checkpoint_folder()
        elif self.kind == "folder":
            folder = _path(self.name)
        else:
            cached = hub.cached_folder(self.name, self.revision)
            folder = cached or hub.fetched_folder(self.name, self.revision, hub.CONFIG_FILES)
        return checkpoint.read_config(folder, self.name)

    @cached_property
    def num_layers(self) -> int:
        """The model's number of layers, by its configuration file alone; a factory declares ``factory.num_layers = 4``.

        Raises:
            ModelError: If the model or its configuration cannot be read, or does not give the depth.
        """
        if self.kind != "factory":
            return checkpoint.depth_of(self.config, self.name)
        depth = getattr(self.factory, "num_layers", None)
        if isinstance(depth, int) and not isinstance(depth, bool) and depth > 0:
            return depth
        raise ModelError(
            f"cannot read the depth of {self.name!r}: the factory has no attribute num_layers that is a positive "
            f"number. Write {self.name.partition(':')[2]}.num_layers = N below it, or num_layers=N in the freeze "
            "marker."
        )

    @cached_property
    def label_names(self) -> tuple[str, ...] | None:
        """The class names of a fine-tuned checkpoint; ``None`` if it has none, or only generated ones (``LABEL_0``).

        A factory may declare them by an attribute: ``factory.label_names = ("no", "yes")``.

        Raises:
            ModelError: If the model or its configuration cannot be read.
        """
        if self.kind != "factory":
            return checkpoint.label_names_of(self.config)
        names = getattr(self.factory, "label_names", None)
        return None if names is None else tuple(str(name) for name in names)

    @cached_property
    def task(self) -> TaskName | None:
        """The task that the model was fine-tuned for, by its configuration; ``None``: none, or not known.

        A factory may declare it by an attribute: ``factory.task = "regression"``.

        Raises:
            ModelError: If the configuration cannot be read, or there is no such task.
        """
        if self.kind != "factory":
            return stated_task(self.config)
        task = getattr(self.factory, "task", None)
        if task is None or task in TASKS:
            return task
        raise ModelError(
            f"cannot read the task of {self.name!r}: the factory's attribute task is {brief(task)}. "
            f"Write one of {', '.join(TASKS)}, or leave it out."
        )

    @cached_property
    def num_head_classes(self) -> int | None:
        """Number of outputs of the checkpoint's head by its configuration; 0: it has none; ``None``: not known.

        Raises:
            ModelError: If the model or its configuration cannot be read.
        """
        if self.kind == "embedded":
            return 0
        return None if self.kind == "factory" else num_stored_outputs(self.config)

    @cached_property
    def folder(self) -> Path:
        """The checkpoint's folder, its files checked to be complete; fetched from the Hub if it is not cached.

        A cached Hub model is used as it is: all runs of a session train the same weights, and no run waits for the
        network. ``hf download`` updates the cache.

        Raises:
            ModelError: If the model cannot be found or fetched, or a file of it is missing or damaged.
        """
        if self.kind == "embedded":
            folder = embedded.checkpoint_folder()
            embedded.check_hashes(folder)
            return folder
        if self.kind == "folder":
            folder = _path(self.name)
        else:
            cached = hub.cached_folder(self.name, self.revision)
            if cached is not None and checkpoint.is_complete(cached, self.name):
                return cached
            folder = hub.fetched_folder(self.name, self.revision, hub.MODEL_FILES)
        checkpoint.check_folder(folder, self.name)
        return folder

    def check(self) -> None:
        """Check cheaply, without torch, that the model can be loaded; a Hub model that is not cached is fetched.

        Raises:
            ModelError: If something is missing, damaged, or of a kind that is never loaded.
        """
        _ = self.factory if self.kind == "factory" else self.folder

    def file_hashes(self) -> FileHashes | None:
        """Return the hashes of all files that loading may read; ``None`` for a factory, which is code.

        Raises:
            ModelError: If the files cannot be found, fetched or read.
        """
        return None if self.kind == "factory" else checkpoint.file_hashes(self.folder, self.name)


def model_is_cached(name: str, revision: str | None = None) -> bool:
    """Return whether the local cache holds all files of a Hub model that loading needs."""
    folder = hub.cached_folder(name, revision)
    return folder is not None and checkpoint.is_complete(folder, name)


def _kind(name: str) -> Kind:
    """Return what kind of source a name denotes.

    Raises:
        ModelError: If it is a path to no folder.
    """
    if name == "embedded":
        return "embedded"
    path = _path(name)
    try:
        mode = path.stat().st_mode if name.strip() else 0
    except FileNotFoundError:
        mode = 0
    except (OSError, ValueError) as error:  # too long, not to be searched, or with a NUL
        raise ModelError(
            f"cannot load the model {name[:_SHOWN]!r}: the path cannot be read ({getattr(error, 'strerror', error)}). "
            "Give a checkpoint folder, a Hub name, module:factory, or embedded."
        ) from error
    if stat.S_ISDIR(mode):
        return "folder"
    if mode:
        raise ModelError(f"cannot load the model {name!r}: it is a file. Give the checkpoint folder that it is in.")
    if path.is_absolute() or name.startswith((".", "~")) or name.count("/") > 1 or not name.strip():
        raise ModelError(
            f"cannot load the model {name!r}: there is no such folder (seen from {Path.cwd()}). Give a checkpoint "
            "folder, a Hub name, module:factory, or embedded."
        )
    return "factory" if _FACTORY.fullmatch(name) else "hub"


def _path(name: str) -> Path:
    """Return the path that a name denotes, with ``~`` replaced by a home folder.

    Raises:
        ModelError: If there is no such user.
    """
    try:
        return Path(name).expanduser()
    except RuntimeError as error:
        raise ModelError(
            f"cannot load the model {name[:_SHOWN]!r}: there is no home folder of such a user. Give the path of the "
            "checkpoint folder in full."
        ) from error
