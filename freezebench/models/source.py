"""What a model source stands for: the embedded checkpoint, a folder, a factory, or a Hub name. No torch."""

from __future__ import annotations

import importlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from freezebench import hub
from freezebench.errors import FreezebenchError, ModelError
from freezebench.models import embedded
from freezebench.models import files as model_files

if TYPE_CHECKING:
    from collections.abc import Callable

Kind = Literal["embedded", "folder", "factory", "hub"]

_FACTORY = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")


@dataclass(frozen=True, kw_only=True)
class ModelSource:
    """A model source that was told apart.

    Attributes:
        kind: What it is.
        text: As it was given.
        revision: Hub revision, if one was given.
    """

    kind: Kind
    text: str
    revision: str | None = None

    @classmethod
    def parse(cls, source: str, revision: str | None = None) -> ModelSource:
        """Return what a source stands for; a folder of that name wins over a factory and the Hub.

        Raises:
            ModelError: If it is a path where no folder is, or a revision is given for something not from the Hub.
        """
        kind = _kind(source)
        if revision is not None and kind != "hub":
            raise ModelError(
                f"cannot load revision {revision!r} of the model {source!r}: only models from the Hub have revisions. "
                "Leave it out."
            )
        return cls(kind=kind, text=source, revision=revision)

    def folder(self) -> Path:
        """Return the checkpoint's folder, whole, fetching it from the Hub where needed.

        What the local cache has is used as it is, without asking the Hub for something newer: all runs of a session
        train the same weights, and no run waits for the network. ``hf download`` brings it up to date.

        Raises:
            ModelError: If it is not to be had, or something in it is missing or damaged.
        """
        if self.kind == "embedded":
            return embedded.verified_folder()
        if self.kind == "folder":
            found = Path(self.text).expanduser()
            model_files.check_folder(found, self.text)
            return found
        cached = hub.cached_folder(self.text, self.revision)
        if cached is None or not _is_whole(cached, self.text):
            cached = hub.fetched_folder(self.text, self.revision, hub.MODEL_FILES)
            model_files.check_folder(cached, self.text)
        return cached

    def factory(self) -> Callable[[int], Any]:
        """Return the function that ``module:factory`` names.

        Raises:
            ModelError: If there is no such module or function, or importing it fails.
        """
        module_name, _, attribute = self.text.partition(":")
        try:
            found: Any = importlib.import_module(module_name)
        except FreezebenchError:
            raise
        except ModuleNotFoundError as error:
            raise ModelError(
                f"cannot load the model {self.text!r}: there is no module {error.name!r} to import. Install it, or add "
                "its folder to pytest's ini option pythonpath."
            ) from error
        except (Exception, SystemExit) as error:
            raise ModelError(
                f"cannot load the model {self.text!r}: importing {module_name} fails with {type(error).__name__}: "
                f"{error}. Mend the module."
            ) from error
        try:
            for part in attribute.split("."):
                found = getattr(found, part)
        except AttributeError as error:
            raise ModelError(f"cannot load the model {self.text!r}: {error}. Check the name of the factory.") from error
        if not callable(found):
            raise ModelError(
                f"cannot load the model {self.text!r}: {attribute} is a {type(found).__name__}, not a function. "
                "Write def factory(num_labels) that returns (model, tokenizer)."
            )
        function: Callable[[int], Any] = found
        return function


def read_depth(source: str, revision: str | None = None) -> int:
    """Return a model's number of layers from its configuration file alone, without loading torch.

    A factory says it by an attribute: ``factory.num_layers = 4``.

    Raises:
        ModelError: If the model or its configuration is not to be had, or does not say its depth.
    """
    parsed = ModelSource.parse(source, revision)
    if parsed.kind == "factory":
        depth = getattr(parsed.factory(), "num_layers", None)
        if isinstance(depth, int) and not isinstance(depth, bool) and depth > 0:
            return depth
        raise ModelError(
            f"cannot read the depth of {source!r}: the factory has no attribute num_layers that is a positive number. "
            f"Write {source.partition(':')[2]}.num_layers = N below it, or num_layers=N in the freeze marker."
        )
    return model_files.depth_of(model_files.read_config(_config_folder(parsed), source), source)


def read_label_names(source: str, revision: str | None = None) -> tuple[str, ...] | None:
    """Return the class names that a fine-tuned checkpoint brings; ``None`` where it has none, or only made-up ones.

    A factory may say them by an attribute: ``factory.label_names = ("no", "yes")``.

    Raises:
        ModelError: If the model or its configuration is not to be had.
    """
    parsed = ModelSource.parse(source, revision)
    if parsed.kind == "factory":
        given = getattr(parsed.factory(), "label_names", None)
        return None if given is None else tuple(str(label) for label in given)
    return model_files.label_names_of(model_files.read_config(_config_folder(parsed), source))


def check_model_source(source: str, revision: str | None = None) -> None:
    """Make sure, cheaply and without torch, that a model can be loaded; a Hub model is fetched where it is not cached.

    Raises:
        ModelError: If it cannot: something is missing, damaged, or of a kind that is never loaded.
    """
    parsed = ModelSource.parse(source, revision)
    if parsed.kind == "factory":
        parsed.factory()
    else:
        parsed.folder()


def model_fingerprint(source: str, revision: str | None = None) -> str | None:
    """Return the SHA-256 of a model's weights, the same wherever they lie; ``None`` for a factory, which has no file.

    Raises:
        ModelError: If the weights are not to be had.
    """
    parsed = ModelSource.parse(source, revision)
    if parsed.kind == "factory":
        return None
    if parsed.kind == "embedded":
        embedded.checkpoint_folder()
        return embedded.WEIGHTS_SHA256  # loading refuses any other
    return model_files.weights_sha256(parsed.folder(), source)


def model_is_cached(name: str, revision: str | None = None) -> bool:
    """Return whether a Hub model lies in the local cache with all that loading needs."""
    folder = hub.cached_folder(name, revision)
    return folder is not None and _is_whole(folder, name)


def _kind(source: str) -> Kind:
    """Return what kind of source a text names.

    Raises:
        ModelError: If it is a path where no folder is.
    """
    if source == "embedded":
        return "embedded"
    path = Path(source).expanduser()
    if source.strip() and path.is_dir():
        return "folder"
    if path.is_file():
        raise ModelError(f"cannot load the model {source!r}: it is a file. Give the checkpoint folder that it is in.")
    if path.is_absolute() or source.startswith((".", "~")) or source.count("/") > 1 or not source.strip():
        raise ModelError(
            f"cannot load the model {source!r}: there is no such folder (seen from {Path.cwd()}). Give a checkpoint "
            "folder, a Hub name, module:factory, or embedded."
        )
    return "factory" if _FACTORY.fullmatch(source) else "hub"


def _config_folder(source: ModelSource) -> Path:
    """Return a folder that holds at least the model's config.json."""
    if source.kind != "hub":
        return embedded.checkpoint_folder() if source.kind == "embedded" else Path(source.text).expanduser()
    cached = hub.cached_folder(source.text, source.revision)
    if cached is not None and (cached / "config.json").is_file():
        return cached
    return hub.fetched_folder(source.text, source.revision, hub.CONFIG_FILES)


def _is_whole(folder: Path, name: str) -> bool:
    """Return whether a checkpoint folder has all that loading needs."""
    try:
        model_files.check_folder(folder, name)
    except ModelError:
        return False
    return True
