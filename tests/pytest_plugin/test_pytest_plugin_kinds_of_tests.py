"""Kinds of tests and fixtures that ask for ``freeze_run``: it works, or the test fails with a sentence."""

from __future__ import annotations

from collections.abc import Callable

import pytest

Project = Callable[..., pytest.Pytester]

FLAGS = [
    "-Wdefault::pytest.PytestWarning",
    "--freeze-grid=none,emb",
    "--freeze-num-seeds=1",
    "--freeze-inconclusive=pass",
]
NO_CONFIGURATION = (
    "freeze_run has no configuration here: only a test with the argument freeze_run or freeze_spec has one.*"
)
NOT_CALLED = "freezebench: warning: INCONCLUSIVE: * of * freeze tests have no result. freeze_run was not called: *"

# What follows the marker in the test module, the outcomes, and a line of the output.
KINDS: dict[str, tuple[str, dict[str, int], str]] = {
    "getfixturevalue": (
        "def test_it(request):\n    request.getfixturevalue('freeze_run')()\n",
        {"failed": 1},
        NO_CONFIGURATION,
    ),
    "getfixturevalue of the spec": (
        "def test_it(request):\n    request.getfixturevalue('freeze_spec')\n",
        {"failed": 1},
        NO_CONFIGURATION,
    ),
    "getfixturevalue beside the argument": (
        "def test_it(request, freeze_spec):\n    request.getfixturevalue('freeze_run')()\n",
        {"passed": 2},
        "*baseline*",
    ),
    "a fixture with getfixturevalue": (
        (
            "def test_it(trained): pass\n\n@pytest.fixture\ndef trained(request):\n"
            "    return request.getfixturevalue('freeze_run')()\n"
        ),
        {"errors": 1},
        NO_CONFIGURATION,
    ),
    "a fixture": (
        (
            "def test_it(trained): assert trained.freeze\n\n@pytest.fixture\ndef trained(freeze_run):\n"
            "    return freeze_run()\n"
        ),
        {"passed": 2},
        "*baseline*",
    ),
    "an autouse fixture": (
        "def test_it(): pass\n\n@pytest.fixture(autouse=True)\ndef trained(freeze_run):\n    return freeze_run()\n",
        {"passed": 2},
        "*baseline*",
    ),
    "usefixtures": ("@pytest.mark.usefixtures('freeze_run')\ndef test_it(): pass\n", {"passed": 2}, NOT_CALLED),
    "unittest, autouse": (
        (
            "class TestIt(unittest.TestCase):\n    @pytest.fixture(autouse=True)\n"
            "    def trained(self, freeze_run):\n        freeze_run()\n    def test_it(self): pass\n"
        ),
        {"errors": 1},
        NO_CONFIGURATION + "A method of unittest.TestCase takes no arguments; use a function or a plain class.",
    ),
    "unittest, usefixtures": (
        "@pytest.mark.usefixtures('freeze_run')\nclass TestIt(unittest.TestCase):\n    def test_it(self): pass\n",
        {"errors": 1},
        NO_CONFIGURATION,
    ),
    "unittest, marked": (
        "class TestIt(unittest.TestCase):\n    def test_it(self): pass\n",
        {"passed": 1},
        "*1 passed*",
    ),
    "a class with set-up": (
        (
            "class TestIt:\n    def setup_method(self): self.is_set_up = True\n"
            "    def test_it(self, freeze_run):\n        assert self.is_set_up\n        freeze_run()\n"
        ),
        {"passed": 2},
        "*baseline*",
    ),
    "a coroutine": (
        "async def test_it(freeze_run): freeze_run()\n",
        {"failed": 2},
        "*async def functions are not natively supported.*",
    ),
    **{
        f"a fixture of a {scope}": (
            f"def test_it(trained): pass\n\n@pytest.fixture(scope={scope!r})\ndef trained(freeze_run): pass\n",
            {"errors": 2},
            f"*ScopeMismatch: *function scoped fixture freeze_run with a {scope} scoped request*",
        )
        for scope in ("class", "module", "package", "session")
    },
}

YAML = """
import pytest

def pytest_collect_file(parent, file_path):
    return YamlFile.from_parent(parent, path=file_path) if file_path.suffix == ".yaml" else None

class YamlFile(pytest.File):
    def collect(self):
        item = YamlItem.from_parent(self, name="case [1]")
        item.add_marker(pytest.mark.freeze(max_drop=3))
        yield item

class YamlItem(pytest.Item):
    def runtest(self): pass
"""
DOCTEST = '''
def trained():
    """
    >>> getfixture("freeze_run")()
    """
'''


def _check(result: pytest.RunResult, outcomes: dict[str, int], line: str) -> None:
    result.assert_outcomes(**outcomes)
    is_green = not {"failed", "errors"} & outcomes.keys()
    assert result.ret == (pytest.ExitCode.OK if is_green else pytest.ExitCode.TESTS_FAILED)
    result.stdout.no_fnmatch_line("*INTERNALERROR*")
    text = result.stdout.str() + result.stderr.str()
    result.stdout.fnmatch_lines(["*" + line.lstrip("*")])
    assert "Traceback" not in text


@pytest.mark.usefixtures("reached")
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_test_works_or_says_why_not(project: Project, kind: str) -> None:
    """Its outcomes, its exit code, and a line of its output."""
    session = project()
    source = (session.path / "test_project.py").read_text(encoding="utf-8").partition("def test_it")[0]
    code, outcomes, line = KINDS[kind]
    (session.path / "test_project.py").write_text(f"import unittest\n{source}{code}", encoding="utf-8")
    _check(session.runpytest_inprocess(*FLAGS), outcomes, line)


def test_items_that_are_not_python_run(project: Project) -> None:
    """A marked one trains nothing, and the session says so."""
    session = project()
    session.makeconftest(YAML)
    (session.path / "cases.yaml").write_text("x", encoding="utf-8")
    _check(
        session.runpytest_inprocess(*FLAGS, "cases.yaml"),
        {"passed": 1},
        "*Without the argument freeze_run: *case [[]1*",
    )


def test_doctests_have_no_configuration(project: Project) -> None:
    """Their function has no arguments."""
    session = project()
    session.makepyfile(module=DOCTEST)
    result = session.runpytest_inprocess(*FLAGS, "--doctest-modules", "module.py")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines([f"*{NO_CONFIGURATION}"])
    result.stdout.no_fnmatch_line("*INTERNALERROR*")
