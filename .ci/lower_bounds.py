"""Write the lowest versions that pyproject.toml admits as a constraints file for pip: `lower_bounds.py PATH`.

The tox environment `lowest` installs the package under these constraints, so that its tests hold the bounds.
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

PYPROJECT = Path(__file__).resolve().parents[1] / "pyproject.toml"
# The extras that the tests need. The other extras hold tools.
EXTRAS = ("embedded", "mlflow", "peft", "report", "tensorboard", "test", "wandb")


def constraint(text: str) -> str:
    """Return `name==version` for a requirement.

    Raises:
        SystemExit: The requirement has no lower bound.
    """
    requirement = Requirement(text)
    versions = [bound.version for bound in requirement.specifier if bound.operator in {">=", "=="}]
    if not versions:
        raise SystemExit(f"{requirement.name} has no lower bound in {PYPROJECT}. Add the lowest version that passes.")
    marker = f"; {requirement.marker}" if requirement.marker else ""
    return f"{requirement.name}=={versions[0]}{marker}\n"


if __name__ == "__main__":
    project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    requirements = [*project["dependencies"], *(text for extra in EXTRAS for text in extras[extra])]
    requirements = [text for text in requirements if not text.startswith(f"{project['name']}[")]  # of its own extras
    Path(sys.argv[1]).write_text("".join(map(constraint, requirements)), encoding="utf-8")
