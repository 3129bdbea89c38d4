"""What a node reports of itself."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from freezebench.executors.ray import look
from freezebench.runs.environment import versions


def test_a_node_reports_its_versions() -> None:
    """Those that this process reports, on this machine."""
    result = json.loads(look.look(with_measures=False))
    assert result["versions"] == versions()
    assert (result["problem"], result["measures"]) == (None, [])
    assert result["machine"] == json.loads(look.look(with_measures=False))["machine"]


def test_a_node_reports_what_can_be_measured() -> None:
    """As ``doctor`` lists it."""
    measures = json.loads(look.look(with_measures=True))["measures"]
    assert all({"name", "available", "detail"} == set(measure) for measure in measures)
    assert measures


def test_a_node_without_freezebench_says_so(tmp_path: Path) -> None:
    """The module imports nothing but the standard library, so that Ray can send it there."""
    source = Path(look.__file__).read_text(encoding="utf-8")
    script = tmp_path / "look.py"
    script.write_text(source + "\nprint(look(False))\n", encoding="utf-8")
    output = subprocess.run(
        [sys.executable, "-I", "-S", str(script)], capture_output=True, text=True, check=True
    ).stdout
    assert json.loads(output)["problem"] == "ModuleNotFoundError: No module named 'freezebench'"
