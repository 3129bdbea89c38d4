"""Faults that are put into the tiny experiment, and how its session has to end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

import pytest

from freezebench.runs import experiment
from tiny_experiment import CANDIDATE

if TYPE_CHECKING:
    from freezebench.specs.run import RunSpec

# Red: INFERIOR and INVALID fail a test, INCONCLUSIVE a session in CI, a warning is shown by a session that passes.
Ending = Literal["INFERIOR", "INVALID", "INCONCLUSIVE", "warning"]
Wrapper = Callable[..., Any]


class Mutant:
    """Puts code in place of functions, and counts how often it ran.

    Attributes:
        folder: The project's folder.
        spec: The run that trains.
        num_calls: How often replaced functions were called.
    """

    def __init__(self, patch: pytest.MonkeyPatch, folder: Path) -> None:
        self.patch, self.folder = patch, folder
        self.spec: RunSpec | None = None
        self.num_calls = 0
        run = experiment.run

        def noting(spec: RunSpec, **arguments: Any) -> Any:
            self.spec = spec
            return run(spec, **arguments)

        patch.setattr(experiment, "run", noting)

    def replace(self, owner: Any, name: str, wrapper: Wrapper, *, only: str | None = None) -> None:
        """Replace a function by a wrapper, which gets the original and its arguments.

        Args:
            owner: Module or class of the function.
            name: Its name.
            wrapper: What runs instead.
            only: The configuration in whose runs it does; ``None``: in all.
        """
        original = getattr(owner, name)

        def replaced(*arguments: Any, **named: Any) -> Any:
            if only is not None and (self.spec is None or self.spec.freeze != only):
                return original(*arguments, **named)
            self.num_calls += 1
            return wrapper(original, *arguments, **named)

        self.patch.setattr(owner, name, replaced)


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A fault.

    Attributes:
        name: Its id.
        change: What is wrong, as the documentation says it.
        ending: How the session has to end.
        sentence: What the output has to say; ``*`` stands for any text.
        put_in: Puts it in.
        marker: Changes of the test's marker.
        environment: Environment variables of the session.
        before: Whether a session without the fault runs before, with the same store.
    """

    name: str
    change: str
    ending: Ending
    sentence: str
    put_in: Callable[[Mutant], None]
    marker: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))
    environment: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    before: bool = False


__all__ = ["CANDIDATE", "Ending", "Fault", "Mutant"]
