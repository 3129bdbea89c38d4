"""What must not be green: freeze tests without a result, failures that tests catch, sessions that decide nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

Project = Callable[..., pytest.Pytester]
Reach = Callable[..., list[str]]
Run = Callable[..., pytest.RunResult]

NOT_CALLED = (
    "INCONCLUSIVE: 2 of 2 freeze tests have no result. freeze_run was not called: *::test_it[[]none[]], *[[]emb[]]."
)
MARKER = "max_drop=30, grid='none,emb'"


@pytest.fixture
def run(project: Project, reach: Reach, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a function that runs a session of a test on two configurations, of which emb is INFERIOR by default.

    Its arguments: the source of the test, arguments of pytest, whether this is CI, and the accuracies that are reached.
    """

    def session(
        source: str, *arguments: str, ci: bool, marker: str = MARKER, **accuracies: float | None
    ) -> pytest.RunResult:
        reach(**({"emb": 0.4} | accuracies))
        monkeypatch.setenv("CI", "1" if ci else "false")
        pytester = project(marker)
        whole = (pytester.path / "test_project.py").read_text(encoding="utf-8")
        mark = next(line for line in whole.splitlines() if line.startswith("@pytest.mark.freeze"))
        pytester.makepyfile(test_project=source.replace("@freeze", mark))
        # The suite turns warnings into errors, and other plugins warn about what these tests do with the fixture.
        return pytester.runpytest_inprocess("-Wdefault::pytest.PytestWarning", *arguments, no_reraise_ctrlc=True)

    return session


def assert_complaint(result: pytest.RunResult, name: str, sentence: str, *, ci: bool) -> None:
    """Check that a complaint fails the session in CI, and is elsewhere a warning in the summary and the last line."""
    if ci:
        assert result.ret == 1
        result.stdout.fnmatch_lines([f"*_ {name} _*", sentence])
        return
    assert result.ret == 0
    warning = f"freezebench: warning: {sentence}"
    result.stdout.fnmatch_lines([warning, "*= * in *", warning])
    # pytest's own word on the end of a session follows only where a test ended it.
    last = [line for line in result.outlines if line and not line.startswith("!")][-1]
    assert last.startswith("freezebench: warning: ")
    result.stdout.no_fnmatch_line(f"*_ {name} _*")


# What a test may do instead of calling freeze_run, and the reason that the complaint names.
UNTRAINED = {
    "not called": ("@freeze\ndef test_it(freeze_run):\n    pass", "freeze_run was not called"),
    "compared": ("@freeze\ndef test_it(freeze_run):\n    assert freeze_run is not None", "freeze_run was not called"),
    "truth swallowed": (
        "@freeze\ndef test_it(freeze_run):\n    with pytest.raises(BaseException):\n        assert freeze_run",
        "freeze_run was not called",
    ),
    "skipped in the body": (
        "@freeze\ndef test_it(freeze_run):\n    pytest.skip('no time')\n    freeze_run()",
        "Skipped (no time)",
    ),
    "skipped in a fixture": (
        "@pytest.fixture\ndef gpu():\n    pytest.skip('no GPU')\n\n@freeze\ndef test_it(gpu, freeze_run):\n    pass",
        "Skipped (no GPU)",
    ),
    "expected to fail": (
        "@freeze\n@pytest.mark.xfail\ndef test_it(freeze_run):\n    freeze_runn()",
        "freeze_run was not called",
    ),
    "requested in the body": (
        "@freeze\ndef test_it(freeze_spec, request):\n    request.getfixturevalue('freeze_run')",
        "freeze_run was not called",
    ),
    "used by a fixture": (
        "@pytest.fixture(autouse=True)\ndef each(freeze_run):\n    return 1\n\n@freeze\ndef test_it():\n    pass",
        "freeze_run was not called",
    ),
    "in a class": (
        "@freeze\nclass TestAll:\n    def test_it(self, freeze_run):\n        pass",
        "freeze_run was not called",
    ),
    "interruption swallowed": (
        (
            "import freezebench.session as session\n\n@freeze\ndef test_it(freeze_run, monkeypatch):\n"
            "    def interrupted(*_):\n        raise KeyboardInterrupt\n"
            "    monkeypatch.setattr(session.FreezeSession, 'result', interrupted)\n"
            "    try:\n        freeze_run()\n    except BaseException:\n        pass"
        ),
        "freeze_run() ended without a result",
    ),
    "empty parameters": (
        "@freeze\n@pytest.mark.parametrize('size', [])\ndef test_it(freeze_run, size):\n    freeze_run()",
        "Skipped (got empty parameter set for (size))",
    ),
}


@pytest.mark.parametrize("ci", [True, False], ids=["ci", "local"])
@pytest.mark.parametrize("case", UNTRAINED)
def test_a_freeze_test_without_a_result_is_not_green(run: Run, case: str, ci: bool) -> None:
    """Whatever the test does, a configuration that was selected and has no result fails the session in CI."""
    source, reason = UNTRAINED[case]
    result = run(f"import pytest\n{source}", ci=ci)
    pattern = reason.replace("[", "[[]")
    assert_complaint(result, "result", f"INCONCLUSIVE: 2 of 2 freeze tests have no result. {pattern}: *emb*", ci=ci)
    result.stdout.no_fnmatch_line("*only the unfrozen baseline*")


def test_a_marker_with_settings_needs_the_fixture(run: Run) -> None:
    """A forgotten argument is found at the test's own marker; that of a class may be for other tests."""
    forgotten = "import pytest\n@freeze\ndef test_it():\n    pass"
    sentence = (
        "INCONCLUSIVE: 1 of 1 freeze tests have no result. Without the argument freeze_run: test_project.py::test_it*"
    )
    for ci in (True, False):
        assert_complaint(run(forgotten, ci=ci), "result", sentence, ci=ci)
    label = "import pytest\n@pytest.mark.freeze\ndef test_label():\n    pass\n"
    shared = "@freeze\nclass TestAll:\n    def test_it(self, freeze_run):\n        freeze_run()\n"
    shared += "    def test_plain(self):\n        pass"
    result = run(label + shared, ci=True, emb=0.9)
    assert result.ret == 0
    result.assert_outcomes(passed=4)


def test_benchmark_skip_is_not_green(run: Run) -> None:
    """pytest-benchmark's marker is not one by which a test declares that it does not train."""
    source = "import pytest\n@freeze\ndef test_it(freeze_run):\n    freeze_run()"
    for ci in (True, False):
        result = run(source, "--benchmark-skip", ci=ci)
        assert_complaint(
            result, "result", "INCONCLUSIVE: 2 of 2 *Skipped (Skipping benchmark (--benchmark-skip*", ci=ci
        )


DECLARED = {
    "skip": "@pytest.mark.skip",
    "skipif": "@pytest.mark.skipif(True, reason='later')",
    "skipif text": "@pytest.mark.skipif('sys.version_info > (3,)', reason='later')",
    "xfail": "@pytest.mark.xfail(run=False)",
    "xfail text": "@pytest.mark.xfail('sys.version_info > (3,)', run=False, reason='later')",
}


@pytest.mark.parametrize("mark", DECLARED)
def test_what_a_marker_skips_is_not_planned(run: Run, reach: Reach, mark: str) -> None:
    """The author declared it: no complaint, and nothing is trained."""
    ran = reach()
    result = run(f"import pytest\n@freeze\n{DECLARED[mark]}\ndef test_it(freeze_run):\n    freeze_run()", ci=True)
    assert result.ret == 0
    assert not ran
    result.stdout.no_fnmatch_line("*INCONCLUSIVE*")


def test_a_marker_that_pytest_ignores_declares_nothing(run: Run) -> None:
    """A false condition, --runxfail, and pytest without its skipping."""
    source = "import pytest\n@freeze\n{}\ndef test_it(freeze_run):\n    {}"
    false = source.format("@pytest.mark.skipif('sys.version_info < (3,)', reason='never')", "pass")
    assert_complaint(run(false, ci=True), "result", "INCONCLUSIVE: 2 of 2 *freeze_run was not called*", ci=True)
    not_run = source.format("@pytest.mark.xfail(run=False)", "pass")
    assert_complaint(run(not_run, "--runxfail", ci=True), "result", "INCONCLUSIVE: 2 of 2 *", ci=True)
    skipped = source.format("@pytest.mark.skip", "pass")
    assert_complaint(run(skipped, "-p", "no:skipping", ci=True), "result", "INCONCLUSIVE: 2 of 2 *", ci=True)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--collect-only"], 0),
        (["--freeze-plan"], 0),
        (["--setup-only"], 0),
        (["--setup-plan"], 0),
        (["-k", "plain"], 0),
        (["-m", "not freeze"], 0),
        (["--deselect=test_project.py::test_it"], 0),
        (["--markers"], 0),
        (["--fixtures"], 0),
    ],
    ids=str,
)
def test_what_does_not_run_is_no_complaint(run: Run, reach: Reach, arguments: list[str], code: int) -> None:
    """Listings, plans and other selections train nothing and fail nothing."""
    ran = reach()
    source = "import pytest\n@freeze\ndef test_it(freeze_run):\n    freeze_run()\ndef test_plain():\n    pass"
    result = run(source, *arguments, ci=True)
    assert result.ret == code
    assert not ran
    result.stdout.no_fnmatch_line("*INCONCLUSIVE*")


@pytest.mark.parametrize(
    ("body", "arguments", "code"),
    [
        ("freeze_run()", ["-x"], 1),
        ("freeze_run()", ["--maxfail=1"], 1),
        ("raise KeyboardInterrupt", [], 2),
        ("pytest.exit('enough')", [], 2),
        ("pytest.exit('enough', returncode=3)", [], 3),
        ("raise ValueError", [], 1),
    ],
    ids=str,
)
def test_a_session_that_is_red_has_no_further_complaint(run: Run, body: str, arguments: list[str], code: int) -> None:
    """After -x, an interruption or an error it would only mislead."""
    source = f"import pytest\n@freeze\ndef test_it(freeze_run):\n    {body}"
    for ci in (True, False):
        result = run(source, *arguments, ci=ci, marker="max_drop=30, grid='none,emb,emb+L0'")
        assert result.ret == code
        result.stdout.no_fnmatch_line("*have no result*")
        result.stdout.no_fnmatch_line("*only the unfrozen baseline*")
        result.stdout.no_fnmatch_line("*freezebench: warning*")


# How a test or a hook hides the failure of emb, which is INFERIOR.
SWALLOWED = {
    "except": "    try:\n        freeze_run()\n    except BaseException:\n        pass",
    "raises": "    with pytest.raises(BaseException):\n        freeze_run()\n        raise ValueError",
    "finally": "    try:\n        return freeze_run()\n    finally:\n        return None",
    "thread": (
        "    import threading\n    def call():\n        try:\n            freeze_run()\n        except BaseException:\n"
        "            pass\n    thread = threading.Thread(target=call)\n    thread.start()\n    thread.join()"
    ),
    "thread alone": (
        "    import threading\n    thread = threading.Thread(target=freeze_run)\n    thread.start()\n    thread.join()"
    ),
    "skipped then": "    try:\n        freeze_run()\n    except BaseException:\n        pytest.skip('never mind')",
    "exit": "    try:\n        freeze_run()\n    except BaseException:\n        pytest.exit('done', returncode=0)",
}


@pytest.mark.parametrize("ci", [True, False], ids=["ci", "local"])
@pytest.mark.parametrize("case", SWALLOWED)
def test_a_caught_failure_is_not_green(run: Run, case: str, ci: bool) -> None:
    """INFERIOR in the table fails the session, whatever the test did with the exception."""
    source = f"import pytest\n@freeze\ndef test_it(freeze_run):\n{SWALLOWED[case]}"
    result = run(source, ci=ci)
    sentence = "INFERIOR: emb (test_project.py::test_it[[]emb[]]), and the test did not fail. Let the exception of *"
    assert_complaint(result, "inferior", sentence, ci=ci)
    result.stdout.no_fnmatch_line("*have no result*")


HOOKS = {
    "passed": "report.outcome, report.longrepr = 'passed', None",
    "skipped": "report.outcome, report.longrepr = 'skipped', ('x', 1, 'no')",
}


@pytest.mark.parametrize("outcome", HOOKS)
def test_a_hook_cannot_hide_a_failure(run: Run, pytester: pytest.Pytester, outcome: str) -> None:
    """What a conftest makes of the report changes nothing: the complaint is about the result."""
    pytester.makeconftest(
        f"""
        import pytest

        @pytest.hookimpl(wrapper=True, tryfirst=True)
        def pytest_runtest_makereport(item, call):
            report = yield
            if report.when == "call" and report.failed:
                {HOOKS[outcome]}
            return report
        """
    )
    source = "import pytest\n@freeze\ndef test_it(freeze_run):\n    freeze_run()"
    for ci in (True, False):
        assert_complaint(run(source, ci=ci), "inferior", "INFERIOR: emb (*), and the test did not fail. *", ci=ci)


def test_an_undecided_test_that_had_to_fail_is_not_green(run: Run) -> None:
    """With --freeze-inconclusive=fail a caught exception is reported; with skip and pass it changes nothing."""
    source = f"import pytest\n@freeze\ndef test_it(freeze_run):\n{SWALLOWED['except']}"
    accuracies = {"emb": 0.6, "emb+L0": 0.9}
    marker = "max_drop=30, grid='none,emb,emb+L0'"
    for ci in (True, False):
        result = run(source, "--freeze-inconclusive=fail", ci=ci, marker=marker, **accuracies)
        assert_complaint(result, "inconclusive", "INCONCLUSIVE: emb (*), and the test did not fail.*", ci=ci)
        for policy in ("skip", "pass"):
            result = run(source, f"--freeze-inconclusive={policy}", ci=ci, marker=marker, **accuracies)
            assert result.ret == 0
            result.stdout.no_fnmatch_line("*did not fail*")


@pytest.mark.parametrize("mark", ["xfail", "xfail(reason='known')", "xfail('True', reason='known')"])
def test_an_expected_failure_is_declared(run: Run, mark: str) -> None:
    """A test that is marked xfail by name may be INFERIOR."""
    source = f"import pytest\n@freeze\n@pytest.mark.{mark}\ndef test_it(freeze_run):\n    freeze_run()"
    result = run(source, ci=True)
    result.assert_outcomes(xpassed=1, xfailed=1)
    assert result.ret == 0
    result.stdout.no_fnmatch_line("*did not fail*")
    assert run(source, "--runxfail", ci=True).ret == 1


def test_broken_runs_are_not_green(run: Run) -> None:
    """A baseline that is invalid makes the whole session INVALID, whatever its tests catch."""
    source = f"import pytest\n@freeze\ndef test_it(freeze_run):\n{SWALLOWED['except']}"
    for ci in (True, False):
        result = run(source, ci=ci, none=None)
        assert_complaint(result, "invalid", "INVALID: none (*), emb (*), and the test did not fail.*", ci=ci)


def test_the_truth_of_the_fixture_is_an_error(run: Run) -> None:
    """Who forgets the parentheses reads what to write, once per configuration."""
    for assertion in ("assert freeze_run", "assert not freeze_run", "if freeze_run:\n        pass"):
        result = run(f"import pytest\n@freeze\ndef test_it(freeze_run):\n    {assertion}", ci=False)
        assert result.ret == 1
        result.assert_outcomes(failed=2)
        result.stdout.fnmatch_lines(
            ["freeze_run has no truth value, *: write freeze_run(), with parentheses, to train."]
        )


def test_a_second_call_ends_like_the_first(run: Run) -> None:
    """After a caught failure or skip it fails or skips again; after a success it returns the same result."""
    source = (
        "import pytest\n@freeze\ndef test_it(freeze_run):\n    first = None\n    try:\n        first = freeze_run()\n"
        "    except BaseException:\n        pass\n    assert freeze_run() is first"
    )
    result = run(source, ci=False, marker="max_drop=30, grid='none,emb,emb+L0'", **{"emb+L0": 0.6})
    assert result.ret == 1
    result.assert_outcomes(passed=1, failed=1, skipped=1)
    result.stdout.fnmatch_lines(["INFERIOR: emb is not within 30 points*"])


def test_a_test_that_is_run_twice_fails_twice(run: Run, pytester: pytest.Pytester) -> None:
    """A plugin that calls a failed test again cannot make it pass."""
    pytester.makeconftest(
        """
        import pytest

        @pytest.hookimpl(wrapper=True)
        def pytest_pyfunc_call(pyfuncitem):
            try:
                return (yield)
            except BaseException:
                pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in ("freeze_run",)})
                return True
        """
    )
    result = run("import pytest\n@freeze\ndef test_it(freeze_run):\n    freeze_run()", ci=False)
    assert result.ret == 1
    result.assert_outcomes(passed=1, failed=1)


def test_other_kinds_of_tests(run: Run) -> None:
    """A coroutine and a unittest.TestCase cannot train, and are red; a fixture can."""
    result = run("import pytest\n@freeze\nasync def test_it(freeze_run):\n    freeze_run()", ci=False)
    assert result.ret == 1
    case = (
        "import pytest, unittest\n@freeze\n@pytest.mark.usefixtures('freeze_run')\n"
        "class TestIt(unittest.TestCase):\n    def test_it(self):\n        pass"
    )
    result = run(case, ci=False)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["freeze_run has no configuration here: *use a function or a plain class."])
    fixture = (
        "import pytest\n@pytest.fixture\ndef result(freeze_run):\n    return freeze_run()\n"
        "@freeze\ndef test_it(result):\n    assert result.freeze"
    )
    result = run(fixture, ci=True)
    assert result.ret == 1
    result.assert_outcomes(passed=1, errors=1)
    assert run(fixture, ci=True, emb=0.9).ret == 0


@pytest.mark.parametrize("selection", [["-k", "none"], ["--freeze-grid=none"], ["test_project.py::test_it[none]"]])
def test_a_baseline_alone_is_not_green_in_ci(run: Run, selection: list[str]) -> None:
    """It is compared with nothing."""
    marker = "max_drop=30" if "--freeze-grid=none" in selection else MARKER
    for ci in (True, False):
        result = run(
            "import pytest\n@freeze\ndef test_it(freeze_run):\n    freeze_run()", *selection, ci=ci, marker=marker
        )
        sentence = "INCONCLUSIVE: only the unfrozen baseline was selected, so nothing was compared. Select *"
        assert_complaint(result, "conclusive", sentence, ci=ci)


def test_a_missed_result_fails_in_junit_and_without_a_terminal(run: Run, tmp_path: Path) -> None:
    """The complaint is a failed test case of its own, and the exit code needs no terminal."""
    source = "import pytest\n@freeze\ndef test_it(freeze_run):\n    pass"
    junit = tmp_path / "j.xml"
    assert run(source, "-p", "no:terminal", f"--junitxml={junit}", ci=True).ret == 1
    suite = ET.parse(junit).getroot()[0]  # noqa: S314 - ours
    assert (suite.get("failures"), suite.get("tests")) == ("1", "3")
    message = str(suite.findall("testcase")[-1][0].text)
    assert message.startswith("INCONCLUSIVE: 2 of 2 freeze tests have no result.")


@pytest.mark.parametrize("ci", [True, False])
def test_a_test_that_changes_ci_changes_nothing(run: Run, ci: bool) -> None:
    """Whether this is CI is decided before the first test."""
    source = f"import os, pytest\n@freeze\ndef test_it(freeze_run):\n    os.environ['CI'] = '{int(not ci)}'"
    assert_complaint(run(source, ci=ci), "result", "INCONCLUSIVE: 2 of 2 freeze tests have no result.*", ci=ci)


@pytest.mark.usefixtures("without_matplotlib")
def test_what_has_no_limit_is_never_ok(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Terminal, JUnit, report, page, saved run and step summary say that nothing is asserted of emb+L0."""
    step, report, saved, junit = (tmp_path / name for name in ("step.md", "report", "saved.json", "j.xml"))
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(step))
    source = "import pytest\n@freeze\ndef test_it(freeze_run):\n    freeze_run()"
    files = f"--freeze-report={report}", f"--benchmark-json={saved}", f"--junitxml={junit}"
    result = run(source, *files, ci=True, marker="max_drop={'emb': 30}, grid='none,emb,emb+L0'", emb=0.9)
    assert result.ret == 0
    expected = {"none": "no_limit", "emb": "ok", "emb+L0": "no_limit"}
    shown = {"none": "no limit", "emb": "passed", "emb+L0": "no limit"}
    rows = json.loads((report / "report.json").read_text(encoding="utf-8"))["experiments"][0]["configurations"]
    assert {row["freeze"]: row["standing"] for row in rows} == expected
    benchmarks = json.loads(saved.read_text(encoding="utf-8"))["benchmarks"]
    assert {each["param"]: each["extra_info"]["freezebench"]["standing"] for each in benchmarks} == expected
    cases = ET.parse(junit).getroot().iter("testcase")  # noqa: S314 - ours
    properties = [{each.get("name"): each.get("value") for each in case.iter("property")} for case in cases]
    assert {each["freezebench_freeze"]: each["freezebench_standing"] for each in properties} == shown
    assert properties[-1]["freezebench_message"] == "emb+L0: no limit is asserted"
    result.stdout.fnmatch_lines(
        ["emb * passed *", "emb+L0 * no limit *", "Conclusive verdicts: 1 of 1 at their limits (*), 1 without a *"]
    )
    for text in (step.read_text(encoding="utf-8"), (report / "report.md").read_text(encoding="utf-8")):
        assert [line.count("no limit") for line in text.splitlines() if line.startswith("| emb")] == [0, 1]
    assert (report / "index.html").read_text(encoding="utf-8").count(">no limit<") == 1


@pytest.mark.parametrize(
    ("emb", "remedy"),
    [
        (0.61, ". Use more seeds (--freeze-num-seeds) or more test sentences; *"),
        (0.6, ": no drop is below its limit, and no number of seeds would show that it is. Change *"),
        (0.9, ": energy: at least 10 % saved is required, and it was not measured: *. Remove the cause, *"),
        (None, ": emb is invalid: seed 42: non-finite loss: at step 3. Remove the cause, *"),
    ],
)
def test_undecided_limits_are_not_decided_by_the_margin(run: Run, emb: float | None, remedy: str) -> None:
    """What was asked counts: a met limit on accuracy decides nothing while that on energy is undecided."""
    source = "import pytest\n@freeze\ndef test_it(freeze_run):\n    freeze_run()"
    marker = f"{MARKER}, min_energy_saving=10"
    result = run(source, ci=True, marker=marker, emb=emb)
    assert_complaint(
        result, "conclusive", f"INCONCLUSIVE: no candidate has a conclusive verdict (0 of 1){remedy}", ci=True
    )
    if emb is not None:
        result.stdout.fnmatch_lines(["Conclusive verdicts: 0 of 1 at their limits *"])


def test_a_decided_experiment_does_not_make_up_for_another_one(run: Run) -> None:
    """Each has its own question: what is decided for one model says nothing of the next."""
    source = (
        "import pytest\n@freeze\ndef test_it(freeze_run):\n    freeze_run()\n\n"
        "@freeze\n@pytest.mark.freeze(max_drop=80)\ndef test_other(freeze_run):\n    freeze_run()"
    )
    result = run(source, ci=True, emb=0.61)
    sentence = "INCONCLUSIVE: * on *: no candidate has a conclusive verdict (0 of 1). Use more seeds *"
    assert_complaint(result, "conclusive", sentence, ci=True)
    result.stdout.fnmatch_lines(["Conclusive verdicts: 1 of 1 at their limits *"])


RERUNS = """
from _pytest.runner import runtestprotocol

def pytest_runtest_protocol(item, nextitem):
    for is_last in (False, True):
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
        has_failed = any(report.failed for report in reports)
        for report in reports:
            if report.failed and not is_last:
                report.outcome = "rerun"
            item.ihook.pytest_runtest_logreport(report=report)
        if not has_failed:
            break
        item._initrequest()
    return True
"""


def test_a_plugin_that_reruns_tests_hides_nothing(run: Run, pytester: pytest.Pytester) -> None:
    """A test that fails again fails; one that passes without training at the second attempt is a complaint."""
    pytester.makeconftest(RERUNS)
    again = run("import pytest\n@freeze\ndef test_it(freeze_run):\n    freeze_run()", ci=True)
    assert again.ret == 1
    again.assert_outcomes(passed=1, failed=1)
    flaky = "    if request.node.nodeid not in seen:\n        seen.append(request.node.nodeid)\n        freeze_run()"
    source = f"import pytest\nseen = []\n@freeze\ndef test_it(freeze_run, request):\n{flaky}"
    for ci in (True, False):
        assert_complaint(run(source, ci=ci), "inferior", "INFERIOR: emb (*), and the test did not fail.*", ci=ci)


@pytest.mark.parametrize("has_session", [True, False])
def test_a_complaint_reaches_github(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_session: bool
) -> None:
    """It is an annotation, and stands above everything else in the step's summary, even if nothing was trained."""
    step = tmp_path / "step.md"
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(step))
    argument = "freeze_run" if has_session else ""
    result = run(f"import pytest\n@freeze\ndef test_it({argument}):\n    pass", ci=True)
    result.stdout.fnmatch_lines(["::error title=freezebench%3A%3Aresult::INCONCLUSIVE: * freeze tests have no result*"])
    assert step.read_text(encoding="utf-8").startswith("# freezebench\n\n**INCONCLUSIVE: ")
