"""Sessions whose model, data, classes, device, messages and folders have hostile names: everything that they write."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

import hostile
import made_up
from freezebench.records.run_record import RunRecord
from freezebench.runs import experiment

Project = Callable[..., pytest.Pytester]

# Every text at once, as far as a class can be called so, and one that a folder can be called.
ANY = " ".join(text for name, text in hostile.HOSTILE.items() if name not in ("long", "lone surrogates"))
FOLDER = "::error::x\n::y\x1b[2J\u202e##vso[z] =`|$x$<script>&_*[a](b) ---"
CONTROL = "\n\x1b"  # a folder that is written to has none


@pytest.fixture
def hostile_runs(reached: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Replace training by made-up runs with a hostile text in every place; return the text, which a test may change."""
    chosen = {"text": hostile.HARMLESS}
    reached["accuracy"] = 0.9
    train = experiment.run

    def run(spec: Any, **arguments: Any) -> RunRecord:
        text = chosen["text"]
        if spec.freeze == "emb+L0":
            return replace(made_up.broken("emb+L0"), spec=spec, reason=text, log=text)
        record = train(spec, **arguments)
        assert record.data is not None
        facts = replace(record.data, label_names=(text, f"{text} 2"), notes=(text, f"Leakage: {text}"))
        environment = {"torch": text, "git": text}
        return replace(record, data=facts, device_name=text, environment=environment, warnings=(text,), started_at=text)

    monkeypatch.setattr(experiment, "run", run)
    return chosen


@pytest.fixture
def step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Set the environment of a step of GitHub Actions, and return the path of its summary."""
    path = tmp_path / "step.md"
    values = {"GITHUB_ACTIONS": "true", "GITHUB_WORKSPACE": str(tmp_path), "GITHUB_STEP_SUMMARY": str(path)}
    for name, value in {**values, "COLUMNS": "80"}.items():
        monkeypatch.setenv(name, value)
    return path


def session(pytester: pytest.Pytester, model: Path, data: Path, folder: str, *flags: str) -> pytest.RunResult:
    """Run a session whose model, data and report are in folders of a name; return its result."""
    for source, kind in ((model, "model"), (data, "data")):
        shutil.copytree(source, pytester.path / kind / folder)
    report = "".join(char for char in folder if char not in CONTROL)
    names = {"model": f"./model/{folder}", "data": f"./data/{folder}", "report": f"report/{report}"}
    own = [f"--freeze-{option}={name}" for option, name in names.items()]
    return pytester.runpytest_inprocess("--freeze-grid=none,emb,emb+L0", *own, "--color=yes", "-rA", *flags)


@pytest.mark.usefixtures("without_matplotlib")
def test_everything_that_a_session_writes(
    project: Project,
    hostile_runs: dict[str, str],
    tiny_model: Path,
    tiny_data: Path,
    step: Path,
) -> None:
    """Terminal, annotations, step summary, JUnit, and the four files of the report are as sound as with plain names."""
    pytester = project("max_drop={'emb': 0.1}, num_seeds=2")
    written: list[dict[str, str]] = []
    for folder, text in (("plain", hostile.HARMLESS), (FOLDER, ANY)):
        hostile_runs["text"] = text
        junit = step.parent / "junit.xml"
        result = session(
            pytester, tiny_model, tiny_data, folder, f"--junitxml={junit}", "-v", "--benchmark-json=b.json"
        )
        assert result.ret == pytest.ExitCode.TESTS_FAILED
        lines = result.stdout.str().split("\n")
        commands = [line for line in lines if re.match("::(error|warning) ", line)]
        assert len(commands) == 3
        hostile.check_annotations(commands)
        hostile.check_terminal("\n".join(line for line in lines if line not in commands))
        hostile.check_terminal(result.stderr.str())
        files = {path.name: path.read_text(encoding="utf-8") for path in pytester.path.glob("report/*/*.*")}
        written.append({**files, "step.md": step.read_text(encoding="utf-8")})
        step.unlink()
        shutil.rmtree(pytester.path / "report")
        values = [case.get("value") for case in ET.parse(junit).getroot().iter("property")]  # noqa: S314 - ours
        hostile.check_visible("\n".join(filter(None, values)))
        json.loads((pytester.path / "b.json").read_text(encoding="utf-8"))
    plain, attacked = written
    assert sorted(attacked) == ["index.html", "report.csv", "report.json", "report.md", "step.md"]
    hostile.check_html(attacked["index.html"], plain["index.html"])
    for name in ("report.md", "step.md"):
        hostile.check_markdown(attacked[name], plain[name])
    hostile.check_csv(attacked["report.csv"], {})
    hostile.check_json(attacked["report.json"])


@pytest.mark.parametrize("option", ["grid", "model", "data", "report", "store", "lr"])
def test_usage_errors_repeat_no_raw_value(project: Project, option: str) -> None:
    """The value of an option is shown on the lines of the message, and no line of its own begins at the margin."""
    pytester = project()
    (pytester.path / "file").touch()
    value = f"file/{FOLDER}" if option in ("report", "store") else f"./{FOLDER}"
    for text in (value, f"{value}\udce9"):
        result = pytester.runpytest_inprocess(f"--freeze-{option}={text}")
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        hostile.check_terminal(result.stderr.str())
        assert [line for line in result.stderr.lines if line and not line.startswith(("ERROR: ", "  "))] == []


def test_a_saved_run_and_the_environment_may_be_hostile(
    project: Project, hostile_runs: dict[str, str], step: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names, dates and machines of saved benchmarks, and paths of GitHub Actions, are shown as text."""
    pytester = project("grid='none,emb', num_seeds=2")
    for text, flag in ((hostile.HARMLESS, "--benchmark-save=ref"), (ANY, "--benchmark-compare")):
        hostile_runs["text"] = text
        result = pytester.runpytest_inprocess(flag, "--color=yes", "-rA")
        saved = next(pytester.path.glob(".benchmarks/*/*.json"))
        content = json.loads(saved.read_text(encoding="utf-8"))
        info = content["machine_info"]["freezebench"]
        content |= {
            "datetime": ANY,
            "machine_info": {**content["machine_info"], "freezebench": dict.fromkeys(info, ANY)},
        }
        for bench in content["benchmarks"]:
            bench["fullname"] = f"{ANY} {bench['fullname']}"
            bench["extra_info"]["freezebench"]["device_name"] = ANY
        saved.write_text(json.dumps(content), encoding="utf-8")
        monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(step.parent / FOLDER / "no such file"))
        monkeypatch.setenv("GITHUB_WORKSPACE", str(step.parent / FOLDER))
    assert "Renamed: " in result.stdout.str()
    assert "the step summary could not be written" in result.stdout.str()
    commands = [line for line in result.stdout.lines if re.match("::(error|warning) ", line)]
    hostile.check_terminal("\n".join(line for line in result.stdout.lines if line not in commands))
