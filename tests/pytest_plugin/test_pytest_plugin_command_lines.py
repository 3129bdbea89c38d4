"""Command lines and plugins that people use next to freeze tests: a tiny real session under each."""

from __future__ import annotations

from collections.abc import Callable

import pytest

Project = Callable[..., pytest.Pytester]

MARKER = "max_drop=90, grid='none,emb', num_seeds=1, inconclusive='pass'"
PLAIN = "def test_plain(): pass\n"
PASSED = {"passed": 3}

# Command line, exit code, outcomes; plugins that it needs are the first words of a line's name.
LINES: dict[str, tuple[str, int, dict[str, int]]] = {
    "last failed, failed first": ("--lf --ff -p cacheprovider", 0, PASSED),
    "stepwise": ("--sw -p cacheprovider", 0, PASSED),
    "stop at failures": ("-x --maxfail=1", 0, PASSED),
    "pytest_repeat": ("--count=2", 0, {"passed": 6}),
    "pytest_timeout": ("--timeout=300", 0, PASSED),
    "pytest_rerunfailures": ("--reruns=2", 0, PASSED),
    "pytest_randomly": ("-p randomly -p no:cacheprovider", 0, PASSED),
    "JUnit, old": ("--junitxml=j.xml -o junit_family=xunit1 -o junit_logging=all", 0, PASSED),
    "JUnit, new": ("--junitxml=j.xml -o junit_family=xunit2", 0, PASSED),
    "durations": ("--durations=0 --durations-min=0 -vv", 0, PASSED),
    "no traceback": ("--tb=no --no-header --no-summary", 0, PASSED),
    "tb line": ("--tb=line -rA --no-fold-skipped", 0, PASSED),
    "tb native": ("--tb=native --showlocals --full-trace", 0, PASSED),
    "quiet": ("-q --color=yes", 0, PASSED),
    "silent": ("-q -q --disable-warnings", 0, {}),
    "list": ("--collect-only -q", 0, {}),
    "no capture": ("-s", 0, PASSED),
    "capture sys": ("--capture=sys", 0, PASSED),
    "capture tee": ("--capture=tee-sys --show-capture=no", 0, PASSED),
    "debug log": ("--log-cli-level=DEBUG --log-file=log.txt --log-level=DEBUG", 0, PASSED),
    # The session runs in the process of the test, which has imported the plugin.
    "warnings are errors": ("-W error -W default::pytest.PytestAssertRewriteWarning", 0, PASSED),
    "without the warnings plugin": ("-p no:warnings", 0, PASSED),
    "without logging": ("-p no:logging -p no:junitxml -p no:doctest -p no:unittest", 0, PASSED),
    "without the cache": ("-p no:cacheprovider -p no:stepwise", 0, PASSED),
    "without the benchmark": ("-p no:benchmark", 0, PASSED),
    "without skipping": ("-p no:skipping", 0, PASSED),
    "without capture": ("-p no:capture", 0, PASSED),
    "without tmpdir": ("-p no:tmpdir -p no:monkeypatch -p no:recwarn", 0, PASSED),
    "without a terminal": ("-p no:terminal", 0, {}),
    "without a terminal, report": ("-p no:terminal --freeze-report=out --junitxml=j.xml", 0, {}),
    "importlib": ("--import-mode=importlib", 0, PASSED),
    "rootdir": ("--rootdir=.. --confcutdir=..", 0, PASSED),
    "configuration": ("-c other.toml", 0, PASSED),
    "strict": ("--strict-markers --strict-config", 0, PASSED),
    "set-up, shown": ("--setup-show", 0, PASSED),
    "set-up, planned": ("--setup-plan", 0, {}),
    "set-up, alone": ("--setup-only", 0, {}),
    "fixtures": ("--fixtures", 0, {}),
    "fixtures of tests": ("--fixtures-per-test", 0, {}),
    "markers": ("--markers", 0, {}),
    "version": ("--version --version", 0, {}),
    "trace": ("--trace-config", 0, PASSED),
    "plan": ("--freeze-plan", 0, {}),
    "benchmark only": ("--benchmark-only", 0, {"passed": 2, "skipped": 1}),
    "benchmark skip": ("--benchmark-skip", 0, {"passed": 1, "skipped": 2}),
    "benchmark off": ("--benchmark-disable --benchmark-json=b.json", 0, PASSED),
    "nothing selected": ("-k nothing", 5, {"deselected": 3}),
    "a bad value": ("--freeze-grid=emb++L0", 4, {}),
    "a bad value without a terminal": ("--freeze-grid=emb++L0 -p no:terminal", 4, {}),
    "a bad value, silently": ("--freeze-model=./nowhere -q -q --tb=no", 4, {}),
}
PLUGINS = ("pytest_repeat", "pytest_timeout", "pytest_rerunfailures", "pytest_randomly")


@pytest.mark.slow
@pytest.mark.parametrize("name", LINES)
def test_a_session_runs_under_any_command_line(project: Project, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Its exit code is as expected, its tests train, and it ends neither in an internal error nor in a traceback."""
    if name in PLUGINS:
        pytest.importorskip(name)
    line, code, outcomes = LINES[name]
    session = project(MARKER)
    session.makepyfile(test_plain=PLAIN)
    (session.path / "other.toml").write_text("[pytest]\nxfail_strict = true\n", encoding="utf-8")
    own = "" if "cacheprovider" in line or "randomly" in line else "-p no:cacheprovider"
    monkeypatch.setenv("PYTEST_ADDOPTS", f"{'' if 'randomly' in line else '-p no:randomly'} {own}")
    warnings = [] if "-W" in line or "no:warnings" in line else ["-Wdefault::pytest.PytestWarning"]
    result = session.runpytest_inprocess(*warnings, *line.split())
    text = result.stdout.str() + result.stderr.str()
    assert "INTERNALERROR" not in text
    assert "Traceback" not in text
    assert result.ret == code, text
    if outcomes:
        result.assert_outcomes(**outcomes)
    errors = [line for line in result.errlines if line.startswith("ERROR: ")]
    assert len(errors) == (code == pytest.ExitCode.USAGE_ERROR)
    if "--freeze-report" in line:
        assert (session.path / "out" / "index.html").is_file()


@pytest.mark.usefixtures("without_matplotlib")
@pytest.mark.parametrize("variable", ["CI", "GITHUB_ACTIONS"])
def test_a_complaint_fails_a_session_without_a_terminal(
    project: Project, reached: dict[str, float], monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """The exit code and the JUnit file say it, and the report is there; nothing is shown."""
    session = project(MARKER)
    monkeypatch.setenv(variable, "true")
    options = ["-p", "no:terminal", "--junitxml=j.xml", "--freeze-report=out", "-Wdefault::pytest.PytestWarning"]
    result = session.runpytest_inprocess(*options)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert reached["ran"] == 2
    assert not result.outlines
    assert not result.errlines
    assert "no candidate has a conclusive verdict" in (session.path / "j.xml").read_text(encoding="utf-8")
    assert (session.path / "out" / "index.html").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--freeze-epoch=2"], "ERROR: there is no option --freeze-epoch. Did you mean --freeze-epochs?"),
        (["--freeze-gpus", "2"], "ERROR: there is no option --freeze-gpus. Choose one that pytest --help lists."),
    ],
)
def test_an_option_that_does_not_exist(pytester: pytest.Pytester, arguments: list[str], message: str) -> None:
    """Whether freezebench is installed is then no question."""
    pytester.makepyfile(PLAIN)
    result = pytester.runpytest_inprocess(*arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([message])


def test_an_option_of_a_conftest_is_no_mistake(pytester: pytest.Pytester) -> None:
    """Others may add options that begin so."""
    pytester.makeconftest("def pytest_addoption(parser): parser.addoption('--freeze-oven')")
    pytester.makepyfile(PLAIN)
    pytester.runpytest_inprocess("--freeze-oven=180").assert_outcomes(passed=1)
