"""Annotations and step summaries of GitHub Actions."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import made_up
from experiments import summary_settings
from freezebench.escaping import visible
from freezebench.report.github import (
    Annotation,
    annotation,
    annotation_commands,
    append_step_summary,
    cut,
    report_to_github,
    step_summary,
    workspace_path,
)
from freezebench.report.overview.overview import overview
from freezebench.report.summary import Summary, summarize
from freezebench.verdicts.judge import judge
from studies import two_by_two

HOSTILE = "<img src=x onerror=alert(1)>\n# big | `tick` [link](http://x) ::error::no & *bold*"


def summary(*, model: str = "tiny") -> Summary:
    """Return the summary of a baseline and one candidate."""
    settings = summary_settings(model=model)
    baseline = made_up.seeds("none")
    pairs = (("none", baseline), ("emb", made_up.seeds("emb")))
    results = [judge(freeze, records, baseline, margin_pp=2.0, limit_pp=5.0) for freeze, records in pairs]
    return summarize(results, settings)


def report(**changes: Any) -> SimpleNamespace:
    """Return pytest's report of a failed freeze test."""
    values = {
        "nodeid": "benchmarks/test_it.py::test_it[emb]",
        "location": ("benchmarks/test_it.py", 6, "test_it[emb]"),
        "when": "call",
        "failed": True,
        "skipped": False,
        "keywords": {"freeze": 1},
        "longrepr": SimpleNamespace(reprcrash=SimpleNamespace(message="assert 1 == 2")),
        "longreprtext": "a long traceback",
        "user_properties": [
            ("freezebench_standing", "inferior"),
            ("freezebench_message", "INFERIOR: emb is 5, limit 2."),
        ],
    }
    return SimpleNamespace(**{**values, **changes})


def test_a_command_is_one_line_with_everything_escaped() -> None:
    """Per cent, line breaks, and in properties colons and commas, cannot end a command or a property."""
    note = Annotation(level="error", title="a,b:c\r\n", message="50 %, a:b\r\n::warning::x", file="a,b.py", line=3)
    assert note.command() == "::error file=a%2Cb.py,line=3,title=a%2Cb%3Ac\\r%0A::50 %25, a:b\\r%0A::warning::x"


@given(st.text(), st.text(), st.text())
def test_no_text_breaks_out_of_a_command(title: str, message: str, file: str) -> None:
    """Reading a command back gives every text, with its invisible characters escaped, but for line breaks."""
    command = Annotation(level="warning", title=title, message=message, file=file, line=1).command()
    match = re.fullmatch(r"::warning file=([^,:\r\n]*),line=1,title=([^,:\r\n]*)::([^\r\n]*)", command)
    assert match is not None
    escapes = (("%3A", ":"), ("%2C", ","), ("%0A", "\n"), ("%25", "%"))
    for text, original in zip(match.groups(), (file, title, message), strict=True):
        read = text
        for escape, character in escapes:
            read = read.replace(escape, character)
        assert read.split("\n") == [visible(line) for line in original.split("\n")]


def test_a_failed_test_is_an_error_at_its_line(tmp_path: Path) -> None:
    """Lines count from 1, the file is relative to the workspace, and the gate's sentence is the message."""
    note = annotation(report(), tmp_path / "sub", {"GITHUB_WORKSPACE": str(tmp_path)})
    assert note == Annotation(
        level="error",
        title="benchmarks/test_it.py::test_it[emb]",
        message="INFERIOR: emb is 5, limit 2.",
        file="sub/benchmarks/test_it.py",
        line=7,
    )


@pytest.mark.parametrize(
    ("changes", "level", "message"),
    [
        (
            {"user_properties": [("freezebench_standing", "passed"), ("freezebench_message", "fine")]},
            "error",
            "assert 1",
        ),
        ({"user_properties": []}, "error", "assert 1"),
        ({"when": "teardown"}, "error", "assert 1"),
        ({"longrepr": "plain", "longreprtext": "plain", "user_properties": []}, "error", "plain"),
        (
            {
                "failed": False,
                "user_properties": [("freezebench_standing", "inconclusive"), ("freezebench_message", "?")],
            },
            "warning",
            "?",
        ),
        (  # trained by a fixture
            {
                "when": "setup",
                "failed": False,
                "skipped": True,
                "user_properties": [("freezebench_standing", "inconclusive"), ("freezebench_message", "?")],
            },
            "warning",
            "?",
        ),
    ],
)
def test_the_message_is_that_of_the_failure(changes: dict[str, Any], level: str, message: str) -> None:
    """Assertions of the test and errors of fixtures have their own message; an undecided test is a warning."""
    note = annotation(report(**changes), Path("/x"), {})
    assert note is not None
    assert (note.level, note.message[: len(message)]) == (level, message)


def test_only_freeze_tests_are_annotated() -> None:
    """Other tests and passed freeze tests have no annotation; a failure of the whole session has no file."""
    reports = [
        report(keywords={"test_else": 1}),
        SimpleNamespace(nodeid="broken.py"),  # a file that could not be collected
        report(failed=False, user_properties=[("freezebench_standing", "passed")]),
        report(failed=False, user_properties=[], when="setup"),
        report(
            nodeid="freezebench::conclusive",
            keywords={},
            location=("freezebench", None, "conclusive"),
            longrepr="INCONCLUSIVE",
            longreprtext="INCONCLUSIVE",
            user_properties=[],
        ),
    ]
    assert annotation_commands(reports, Path("/x"), {}) == ["::error title=freezebench%3A%3Aconclusive::INCONCLUSIVE"]


def test_paths_outside_the_workspace_stay_absolute(tmp_path: Path) -> None:
    """A file outside the workspace keeps its path, and so does every file without a workspace."""
    inside, outside = tmp_path / "w" / "a" / "t.py", tmp_path / "t.py"
    environment = {"GITHUB_WORKSPACE": str(tmp_path / "w")}
    assert workspace_path(inside, environment) == "a/t.py"
    assert workspace_path(outside, environment) == outside.as_posix()
    assert workspace_path(inside, {}) == inside.as_posix()


def test_the_step_summary_has_table_sentences_and_comparison() -> None:
    """The summary has the content of the report as Markdown."""
    text = step_summary([summary()], ["compared", "a  b", "-  -", "```"], ["INCONCLUSIVE: nothing trained."])
    assert text.startswith("# freezebench\n\n**INCONCLUSIVE: nothing trained.**\n\n## ")
    assert "| frozen" in text
    assert "**Freeze emb: accuracy stays within 2 points of no freezing (" in text
    assert text.endswith("## Compared with a saved run\n\n    compared\n    a  b\n    -  -\n    ```\n")


def test_the_overview_of_several_experiments_comes_first() -> None:
    """It precedes the summary of each of them."""
    experiments = two_by_two()
    shown = overview(experiments)
    assert shown is not None
    text = step_summary([experiment.summary for experiment in experiments], overview=shown)
    assert text.index(shown.sentence) < text.index("## large on reviews; ")


def test_hostile_names_stay_text() -> None:
    """A model's name cannot become HTML, a heading, a link, or a line."""
    text = step_summary([summary(model=HOSTILE)])
    title = next(line for line in text.splitlines() if line.startswith("## "))
    assert title.startswith(r"## &lt;img src=x onerror=alert(1)&gt;\\n\# big \| \`tick\` [link\](http\://x) ")
    assert "<img" not in text


def test_a_summary_is_appended_and_cut_to_the_limit(tmp_path: Path) -> None:
    """The existing content counts; a text that does not fit is cut at a line with a note, then refused."""
    path = tmp_path / "summary.md"
    path.write_text("before\n", encoding="utf-8")
    assert append_step_summary(path, "# one\n") is None
    assert path.read_text(encoding="utf-8") == "before\n# one\n"
    assert append_step_summary(path, "é line\n" * 100, max_bytes=300) is None
    written = path.read_text(encoding="utf-8")
    assert path.stat().st_size <= 300
    assert "é line\n\n\n_Cut here" in written
    assert "full" in str(append_step_summary(path, "# more\n" * 9, max_bytes=300))
    assert path.read_text(encoding="utf-8") == written


@given(st.text(), st.integers(min_value=0, max_value=300))
def test_a_cut_text_is_never_too_long(text: str, max_bytes: int) -> None:
    """It fits and is UTF-8; a text that fits is unchanged."""
    content = cut(text, max_bytes)
    assert len(content) <= max_bytes
    content.decode("utf-8")
    whole = text.encode("utf-8", errors="replace")
    assert len(whole) > max_bytes or content == whole


def test_a_summary_that_cannot_be_written_is_a_warning(tmp_path: Path) -> None:
    """A folder of that name, or a missing folder, gives a warning."""
    for path in (tmp_path, tmp_path / "missing" / "summary.md"):
        assert "could not be written" in str(append_step_summary(path, "# one\n"))
    environment = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(tmp_path)}
    (line,) = report_to_github([], [summary()], [], root=tmp_path, environment=environment)
    assert line.startswith("freezebench: warning: the step summary could not be written")


def test_nothing_is_reported_outside_actions(tmp_path: Path) -> None:
    """Logs of another CI have no workflow commands, and no file is written."""
    path = tmp_path / "summary.md"
    environment = {"CI": "true", "GITHUB_STEP_SUMMARY": str(path)}
    assert report_to_github([report()], [summary()], [], root=tmp_path, environment=environment) == []
    assert not path.exists()
