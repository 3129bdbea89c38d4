"""The pytest plugin: options, collection, fixtures, the gate of every test, and the summary."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any

import pytest

from freezebench.config.options import OPTIONS
from freezebench.config.session_settings import in_ci
from freezebench.errors import FreezebenchError
from freezebench.pytest_plugin.benchmark import (
    BenchmarkBridge,
    BenchmarkStandIn,
    Clock,
    record_benchmark,
    refuse_profiling,
    saved_run,
)
from freezebench.pytest_plugin.terminal import Terminal, fitted, terminal_width

# What only freeze tests need is imported when the first one is found: most sessions have none.
if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from freezebench.config.settings import Settings
    from freezebench.session import FreezeSession
    from freezebench.specs.freeze import FreezeSpec
    from freezebench.verdicts.judge import ConfigurationResult

_SESSION = pytest.StashKey["FreezeSession"]()
_CLOCK = pytest.StashKey[Clock]()

_MARKER = (
    "freeze(**options): settings of a test that uses the freeze_run fixture, named like the --freeze-* options without "
    "the prefix: freeze(model='./checkpoint', data='./reviews', grid='none,emb', max_drop=3); num_layers=N says the "
    "depth of a model that a factory makes."
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Register every option of the table as flag and ini key."""
    group = parser.getgroup("freezebench", "freezebench: which layers can be frozen, at what cost, saving what")
    for option in OPTIONS:
        takes = {"action": "store_const", "const": "yes"} if option.is_switch else {"metavar": option.metavar}
        group.addoption(option.flag, dest=option.ini, default=None, help=option.help, **takes)
        parser.addini(option.ini, f"default of {option.flag}", default=None)


def pytest_configure(config: pytest.Config) -> None:
    """Read what the command line and the ini file ask for; bad values end the session here."""
    config.addinivalue_line("markers", _MARKER)
    if any(_given(config)):
        with _usage_errors():
            _session(config)
        _refuse_combinations(config)
    has_benchmark = config.pluginmanager.hasplugin("benchmark")
    adapter = BenchmarkBridge(lambda: config.stash.get(_SESSION, None)) if has_benchmark else BenchmarkStandIn()
    config.pluginmanager.register(adapter, "freezebench-benchmark")
    if _SESSION in config.stash and _session(config).options.is_plan_only:
        config.pluginmanager.register(PlanOnly(), "freezebench-plan")


def _given(config: pytest.Config) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the flags and the ini keys that were given; an ini key that is left empty was not."""
    flags = {option.name: config.getoption(option.ini) for option in OPTIONS}
    ini = {option.name: config.getini(option.ini) for option in OPTIONS}
    return (
        {name: value for name, value in flags.items() if value is not None},
        {name: value for name, value in ini.items() if value},
    )


def _session(config: pytest.Config) -> FreezeSession:
    """Return this pytest run's session, made at the first call.

    Raises:
        FreezebenchError: If an option has a bad value.
    """
    if _SESSION not in config.stash:
        from freezebench.session import FreezeSession

        config.stash[_SESSION] = FreezeSession(
            *_given(config),
            # Without the flag pytest-benchmark says [].
            has_reference=bool(config.getoption("benchmark_compare", None)),
            with_times=not config.getoption("benchmark_disable", None),
            default_store=_default_store(config),
        )
    return config.stash[_SESSION]


def _default_store(config: pytest.Config) -> Path | None:
    """Return where finished runs are kept if no folder is named; ``None`` without pytest's cache."""
    cache = getattr(config, "cache", None)
    if cache is None:
        return None
    # Beside what --cache-clear deletes, not within. Asking for a folder makes pytest mark its cache as one.
    marked: Path = cache.mkdir("freezebench")
    return marked.parent.parent / "freezebench"


@contextlib.contextmanager
def _usage_errors() -> Iterator[None]:
    """Turn our own errors into pytest's usage errors: one sentence and exit code 4."""
    try:
        yield
    except FreezebenchError as error:
        raise pytest.UsageError(str(error)) from error


def _refuse_combinations(config: pytest.Config) -> None:
    """Refuse what would train twice or without a baseline.

    Raises:
        pytest.UsageError: If such an option is set.
    """
    if config.getoption("numprocesses", None) or hasattr(config, "workerinput"):
        raise pytest.UsageError(
            "freeze tests were asked to run under pytest-xdist, but workers share no baseline and would compete for "
            "the device. Use -n0; for several devices, start one session per device with --freeze-device=cuda:N."
        )
    refuse_profiling(config)


# --- collection ---------------------------------------------------------------------------------------------------


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give a freeze test one case per configuration; what is wrong is said once collection is over."""
    if "freeze_spec" not in metafunc.fixturenames:
        return
    session = _session(metafunc.config)
    specs: list[str] = []
    try:
        settings = session.options.settings(_marker_values(metafunc.definition), metafunc.definition.nodeid)
        specs = [str(spec) for spec in session.options.grid(settings)]
    except FreezebenchError as error:
        # A usage error raised here would end pytest as interrupted (2), not as a usage error (4).
        session.errors[metafunc.definition.nodeid] = str(error)
    metafunc.parametrize("freeze_spec", specs, ids=specs, indirect=True)


def _marker_values(node: pytest.Item | Any) -> dict[str, Any]:
    """Return the arguments of a test's freeze markers; the closest one wins."""
    values: dict[str, Any] = {}
    for marker in node.iter_markers("freeze"):
        if marker.args:
            raise FreezebenchError(
                f"{node.nodeid}: the freeze marker takes named arguments only, such as freeze(grid='none,emb')."
            )
        values = {**marker.kwargs, **values}
    return values


def _settings_of(item: pytest.Item) -> Settings:
    return _session(item.config).options.settings(_marker_values(item), _definition(item))


def _freeze_items(config: pytest.Config, items: list[pytest.Item]) -> list[pytest.Item]:
    """Return the freeze tests among the items, those left out whose settings are in error."""
    found = [item for item in items if "freeze_spec" in getattr(getattr(item, "callspec", None), "params", {})]
    return [item for item in found if _definition(item) not in _session(config).errors] if found else []


def _definition(item: pytest.Item) -> str:
    """Return the node id of an item's test function."""
    return item.nodeid.partition("[")[0]


def _spec_of(item: pytest.Item) -> str:
    callspec: Any = item.callspec  # type: ignore[attr-defined]  # every freeze item is parametrized
    return str(callspec.params["freeze_spec"])


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark every freeze test, so that ``-m "not freeze"`` leaves all of them out."""
    if "freeze_spec" in getattr(item, "fixturenames", ()) and item.get_closest_marker("freeze") is None:
        item.add_marker(pytest.mark.freeze)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Check everything that can be checked before a model is loaded; put baselines first, hand every item its clock."""
    session = config.stash.get(_SESSION, None)
    if session is None:
        return
    # Errors of tests that were deselected are nobody's business.
    errors = dict.fromkeys(session.errors[name] for name in map(_definition, items) if name in session.errors)
    if errors:
        raise pytest.UsageError("\n".join(errors))
    selected = _freeze_items(config, items)
    if not selected:
        return
    _refuse_combinations(config)
    with _usage_errors():
        for settings in dict.fromkeys(_settings_of(item) for item in selected):
            if not config.option.collectonly:
                session.check(settings)
        if not config.option.collectonly:
            planned = [(_settings_of(item), _spec_of(item), item.nodeid) for item in selected]
            session.take_reference(saved_run(config), planned)
    places = [place for place, item in enumerate(items) if item in selected]
    for place, item in zip(places, sorted(selected, key=lambda item: _spec_of(item) != "none"), strict=True):
        items[place] = item
    for item in selected:
        clock = item.stash[_CLOCK] = Clock()
        own = item.get_closest_marker("benchmark")
        item.add_marker(pytest.mark.benchmark(**{**(own.kwargs if own else {}), "timer": clock}), append=False)


def pytest_report_header(config: pytest.Config) -> list[str] | None:
    """Say what is asked for, where something is."""
    session = config.stash.get(_SESSION, None)
    if session is None:
        return None
    with _usage_errors():
        from freezebench.report.plan import settings_lines

        return fitted(settings_lines(session.options.settings()))


def pytest_report_collectionfinish(config: pytest.Config, items: list[pytest.Item]) -> list[str]:
    """Say what is going to run and what it can resolve."""
    session = config.stash.get(_SESSION, None)
    if session is None:
        return []
    # pytest reports what it collected on its way to a usage error, too.
    planned = [(_settings_of(item), _spec_of(item)) for item in _freeze_items(config, items)]
    from freezebench.report.plan import resolution_line, settings_lines, size_line

    lines: list[str] = []
    for settings in dict.fromkeys(settings for settings, _ in planned):
        specs = list(dict.fromkeys(spec for planned_settings, spec in planned if planned_settings == settings))
        # The header told what flags and ini file say; a marker may say more.
        if not (session.options.is_anything and settings == session.options.settings()):
            lines += settings_lines(settings)
        lines.append(size_line(settings, specs))
        if settings in session.num_test:
            with _usage_errors():
                lines += [resolution_line(settings, session.num_test[settings]), *session.plan_lines(settings, specs)]
    lines += [f"freezebench: {note}" for note in (session.reference.notes if session.reference else ())]
    if session.options.is_plan_only:
        lines.append("freezebench: --freeze-plan: " + ("nothing runs" if planned else "no freeze test is selected"))
    return fitted(lines)


class PlanOnly:
    """Registered where only the plan is asked for: no test runs."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """Stand in for pytest's loop; errors of collection are left to it."""
        return None if session.testsfailed else True


# --- running ------------------------------------------------------------------------------------------------------


class FreezeRun:
    """What the ``freeze_run`` fixture hands to a test: call it to train this test's configuration.

    Attributes:
        spec: The freeze spec of this test.
        settings: Everything that was asked for.
    """

    def __init__(self, item: pytest.Item, spec: FreezeSpec, settings: Settings, benchmark: Any) -> None:
        self.spec, self.settings = spec, settings
        self._item, self._benchmark = item, benchmark
        self._result: ConfigurationResult | None = None

    def __call__(self) -> ConfigurationResult:
        """Train every seed of the configuration (and the baseline, if it is missing) and return the result.

        The test fails here if the accuracy drop exceeds its limit or a run is invalid, and is skipped, passed or failed
        as ``--freeze-inconclusive`` says if the evidence does not decide.
        """
        if self._result is not None:
            return self._result
        from freezebench.report.verdict_text import gate_sentence

        session = _session(self._item.config)
        # Paths were given from where pytest was started, wherever the test has gone since.
        with contextlib.chdir(self._item.config.invocation_params.dir):
            result = session.result(self.settings, str(self.spec))
            result = self._result = session.judged_against_reference(self._item.nodeid, self.settings, result)
            record_benchmark(self._benchmark, self._item, self._item.stash[_CLOCK], result)
            session.write_report()
        standing = result.standing
        self._item.user_properties.append(("freezebench_message", gate_sentence(result)))
        policy = self.settings.policy(self.spec)
        fails = standing in ("broken", "worse") or (standing == "undecided" and policy == "fail")
        if fails:
            # Otherwise pytest-benchmark would save the failed run as the next reference.
            self._benchmark.has_error = True
            pytest.fail(gate_sentence(result), pytrace=False)
        if standing == "undecided" and policy == "skip":
            pytest.skip(gate_sentence(result))
        return result


@pytest.fixture
def freeze_spec(request: pytest.FixtureRequest) -> FreezeSpec:
    """The freeze spec of this test: one test per configuration of the grid."""
    from freezebench.specs.freeze import FreezeSpec

    return FreezeSpec.parse(request.param)


@pytest.fixture
def freeze_run(request: pytest.FixtureRequest, freeze_spec: FreezeSpec, benchmark: Any) -> FreezeRun:
    """Train this test's configuration when called, record it, and hold it to its accuracy limit; see FreezeRun."""
    return FreezeRun(request.node, freeze_spec, _settings_of(request.node), benchmark)


@pytest.hookimpl(wrapper=True)
def pytest_runtestloop(session: pytest.Session) -> Generator[None, object, object]:
    """Show progress while tests run; afterwards, in CI, fail a session in which nothing was decided."""
    config = session.config
    planned = [(_settings_of(item), _spec_of(item)) for item in _freeze_items(config, session.items)]
    if planned and not config.option.collectonly and not _session(config).options.is_plan_only:
        with _usage_errors(), contextlib.chdir(config.invocation_params.dir):
            _session(config).preflight(planned)
        terminal = Terminal(config)
        _session(config).start_progress(terminal.progress, live=terminal.is_live, planned=planned)
    outcome = yield
    undecided = _session(config).nothing_decided() if planned else None
    if undecided and in_ci():
        report = pytest.TestReport(
            nodeid="freezebench::decided",
            location=("freezebench", None, "decided"),
            keywords={},
            outcome="failed",
            longrepr=undecided,
            when="call",
        )
        config.hook.pytest_runtest_logreport(report=report)
    return outcome


def pytest_unconfigure(config: pytest.Config) -> None:
    """End the process that trains."""
    session = config.stash.get(_SESSION, None)
    if session is not None:
        session.close()


@pytest.hookimpl(tryfirst=True)
def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print the tables and what they mean."""
    session = config.stash.get(_SESSION, None)
    if session is None:
        return
    for _, summary in session.summaries():
        Terminal(config).summary(summary)
    comparison = session.comparison_lines(terminal_width())
    for line in fitted([*comparison, *(f"freezebench: {line}" for line in session.store_lines())]):
        terminalreporter.write_line(line)
    with contextlib.chdir(config.invocation_params.dir):
        session.publish()
    # Of the pictures their folder is enough.
    for path in dict.fromkeys(
        path if path.parent == session.options.report_folder else path.parent for path in session.written
    ):
        terminalreporter.write_line(f"freezebench: wrote {path}")
    if session.report_problem:
        for line in fitted([f"freezebench: {session.report_problem}"]):
            terminalreporter.write_line(line, red=True)
    from freezebench.report import github

    outcomes = ("failed", "error", "skipped", "passed")
    reports = [report for outcome in outcomes for report in terminalreporter.stats.get(outcome, [])]
    summaries = [summary for _, summary in session.summaries()]
    for line in github.report_to_github(reports, summaries, comparison, root=config.rootpath, environment=os.environ):
        terminalreporter.ensure_newline()
        terminalreporter.write_line(line)
