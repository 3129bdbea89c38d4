"""Fixtures of a project that have the names of those that freeze tests use."""

from __future__ import annotations

from collections.abc import Callable

import pytest

Project = Callable[..., pytest.Pytester]

FLAGS = ["-Wdefault::pytest.PytestWarning", "--freeze-grid=none,emb", "--freeze-num-seeds=1"]

# What conftest.py or the test module adds, and the first line of the message.
RUN = "ERROR: *: freeze_run is set by {module}, not by freezebench, so that nothing would be trained. Give it another *"
REPLACED = {
    "benchmark": (
        "@pytest.fixture\ndef benchmark(): return print\n",
        "ERROR: *: freeze_run passes its times to *benchmark, but {module} has one of that name. Give it another *",
    ),
    "freeze_run": ("@pytest.fixture\ndef freeze_run(): return print\n", RUN),
    "freeze_run of a spec": ("@pytest.fixture\ndef freeze_run(freeze_spec): return print\n", RUN),
}


def _add(session: pytest.Pytester, where: str, code: str) -> None:
    path = session.path / f"{where}.py"
    source = path.read_text(encoding="utf-8") if path.exists() else ""
    path.write_text(f"import pytest\n{source}\n{code}", encoding="utf-8")


@pytest.mark.parametrize("where", ["conftest", "test_project"])
@pytest.mark.parametrize("name", REPLACED)
def test_a_replaced_fixture_ends_the_session_before_it_trains(project: Project, name: str, where: str) -> None:
    """One sentence and exit code 4, wherever the fixture is."""
    session = project()
    code, message = REPLACED[name]
    _add(session, where, code)
    result = session.runpytest_inprocess(*FLAGS)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert len([line for line in result.errlines if line]) == 1
    result.stderr.fnmatch_lines([message.format(module=where)])


@pytest.mark.usefixtures("reached")
@pytest.mark.parametrize(
    ("code", "flags"),
    [
        ("@pytest.fixture\ndef benchmark(benchmark): return benchmark\n", []),
        ("@pytest.fixture\ndef benchmark(request): return request.getfixturevalue('benchmark')\n", []),
        ("@pytest.fixture\ndef benchmark(): return None\n", ["-p", "no:benchmark"]),
        ("@pytest.fixture\ndef freeze_run(freeze_run, freeze_spec): return freeze_run\n", []),
        ("@pytest.fixture\ndef freeze_spec(freeze_spec): return freeze_spec\n", []),
        ("@pytest.fixture\ndef freeze_spec(): return 'mine'\n", []),
    ],
)
def test_fixtures_that_extend_others_work(project: Project, code: str, flags: list[str]) -> None:
    """Nor does an own ``benchmark`` matter without pytest-benchmark, or an own ``freeze_spec`` to what is trained."""
    session = project()
    _add(session, "conftest", code)
    result = session.runpytest_inprocess(*FLAGS, *flags)
    result.assert_outcomes(passed=2)


def test_a_fixture_that_extends_benchmark_must_return_it(project: Project, reached: dict[str, int]) -> None:
    """Otherwise the test fails before it trains: what a fixture returns is known when the test is set up."""
    session = project()
    _add(session, "conftest", "@pytest.fixture\ndef benchmark(benchmark): benchmark.extra_info['own'] = 1\n")
    result = session.runpytest_inprocess(*FLAGS)
    result.assert_outcomes(errors=2)
    assert reached["ran"] == 0
    result.stdout.fnmatch_lines(
        ["freeze_run cannot pass its times to the fixture benchmark, which is of the type NoneType. *"]
    )


def test_a_project_that_uses_the_names_for_something_else_is_left_alone(pytester: pytest.Pytester) -> None:
    """A fixture that is called like one of freezebench's is no freeze test without settings for it."""
    pytester.makepyfile(
        """
        import pytest

        @pytest.fixture
        def freeze_run(): return 1

        @pytest.fixture
        def freeze_spec(): return 2

        @pytest.fixture
        def benchmark(): return None  # pytest-benchmark accepts no other value

        def test_it(freeze_run, freeze_spec, benchmark):
            assert (freeze_run, freeze_spec, benchmark) == (1, 2, None)
        """
    )
    result = pytester.runpytest_inprocess("-p", "no:randomly", "--freeze-grid=none,emb", "-rA")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["PASSED *::test_it"])
