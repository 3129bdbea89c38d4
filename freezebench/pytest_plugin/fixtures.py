"""The fixtures of freeze tests: ``freeze_spec`` and ``freeze_run``."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, NoReturn

import pytest

from freezebench.errors import FreezebenchError
from freezebench.import_path import installed_modules_first
from freezebench.pytest_plugin.benchmark import FallbackBenchmark, note_unsaved, record_benchmark
from freezebench.pytest_plugin.items import case_of, settings_of, spec_of
from freezebench.pytest_plugin.options import freeze_session
from freezebench.pytest_plugin.reporting import session_report
from freezebench.pytest_plugin.session_gate import session_gate

if TYPE_CHECKING:
    from freezebench.config.settings import Settings
    from freezebench.pytest_plugin.benchmark import Benchmark
    from freezebench.session import FreezeSession
    from freezebench.specs.freeze import FreezeSpec
    from freezebench.verdicts.judge import ConfigurationResult


_REPEATED = (
    " A rerun trains nothing again but runs that crashed, were killed, took too long or ran out of memory, so that "
    "this result stays. Use --freeze-resume=no in a new session to train it again."
)


class FreezeRun:
    """The value of the ``freeze_run`` fixture: called by a test, it trains the test's configuration.

    Attributes:
        spec: The freeze spec of this test.
    """

    def __init__(self, item: pytest.Item, spec: FreezeSpec, benchmark: Benchmark) -> None:
        self.spec = spec
        self._item, self._benchmark = item, benchmark
        self._result: ConfigurationResult | None = None
        self._repeats = False

    @property
    def settings(self) -> Settings:
        """The settings of this test; a fixture may add a marker until the run is called."""
        try:
            # Relative paths were given from the folder where pytest was started; a test may have changed it since.
            with installed_modules_first(), contextlib.chdir(self._item.config.invocation_params.dir):
                return settings_of(self._item)
        except FreezebenchError as error:
            pytest.fail(str(error), pytrace=False)

    def __bool__(self) -> NoReturn:  # noqa: PLE0304 - it never returns
        """Fail the test: who takes the truth value has forgotten the parentheses of the call."""
        pytest.fail(
            "freeze_run has no truth value, since it is a function: write freeze_run(), with parentheses, to train.",
            pytrace=False,
        )

    @installed_modules_first()
    def __call__(self) -> ConfigurationResult:
        """Return the result of the configuration, of which every seed is trained now, as is a missing baseline.

        The test fails here if the drop of the metric exceeds its limit or a run is invalid, and is skipped, passed or
        failed as ``--freeze-inconclusive`` says if the evidence does not decide. It is skipped if a less frozen
        configuration trains the same parameters, or nothing would be left to train. A further call trains nothing and
        ends in the same way. So does a rerun of the test, unless runs broke by a fault that another attempt may not
        have.
        """
        session_gate(self._item.config).note_call(self._item.nodeid)
        if self._result is None:
            self._result = self._train()
        self._apply(self._result)
        return self._result

    def _train(self) -> ConfigurationResult:
        """Train and record the configuration."""
        from freezebench.records.events import ResultAwaited

        session, settings = freeze_session(self._item.config), self.settings
        with contextlib.chdir(self._item.config.invocation_params.dir):
            if settings not in session.num_test:  # a fixture has added a marker
                _check(session, settings)
            is_rerun = session_gate(self._item.config).has_result(self._item.nodeid)
            retried = session.retry(settings, str(self.spec)) if is_rerun else []
            self._repeats = is_rerun and not retried
            session.on_event(ResultAwaited(is_awaited=True))
            try:
                result = session.result(settings, str(self.spec))
            except (KeyboardInterrupt, pytest.exit.Exception):
                self._benchmark.skipped = True  # otherwise pytest-benchmark would warn that its fixture was not used
                raise
            finally:
                session.on_event(ResultAwaited(is_awaited=False))
            result = session.judged_against_reference(self._item.nodeid, settings, result)
            session_gate(self._item.config).note_result(self._item.nodeid, result, fails=self._fails(result))
            record_benchmark(self._benchmark, self._item, result, retried=retried)
            report = session_report(self._item.config)
            report.note_test(settings, self._item)
            report.write()
        return result

    def _fails(self, result: ConfigurationResult) -> bool:
        """Return whether the test fails by its limits, or by the policy on what is undecided."""
        is_undecided = result.standing == "undecided" or result.not_reached is not None
        return result.standing in ("broken", "worse") or (is_undecided and self._policy == "fail")

    def _apply(self, result: ConfigurationResult) -> None:
        """Fail or skip the test if its limits say so."""
        from freezebench.report.gate_text import gate_sentence

        if not result.was_run and not self._fails(result):
            pytest.skip(gate_sentence(result))
        if self._fails(result):
            # Otherwise pytest-benchmark would save the failed run as the next reference.
            self._benchmark.has_error = True
            if not result.broken:
                note_unsaved(self._item, result.freeze, "its test failed")
            pytest.fail(gate_sentence(result) + (_REPEATED if self._repeats else ""), pytrace=False)
        if result.standing == "undecided" and self._policy == "skip":
            pytest.skip(gate_sentence(result))

    @property
    def _policy(self) -> str:
        return self.settings.policy(self.spec)


def _check(session: FreezeSession, settings: Settings) -> None:
    """Check settings that were not known before the first test; the test fails if they cannot be used."""
    try:
        session.check(settings)
    except FreezebenchError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture
@installed_modules_first()
def freeze_spec(request: pytest.FixtureRequest) -> FreezeSpec:
    """The freeze spec of this test: one test per configuration of the grid."""
    from freezebench.specs.freeze import FreezeSpec

    if not hasattr(request, "param"):
        pytest.fail(
            "freeze_run has no configuration here: only a test with the argument freeze_run or freeze_spec has one. "
            "A fixture of yours that extends freeze_run has to request freeze_spec, too. A method of unittest.TestCase "
            "takes no arguments; use a function or a plain class.",
            pytrace=False,
        )
    return FreezeSpec.parse(request.param)


@pytest.fixture
@installed_modules_first()
def freeze_run(request: pytest.FixtureRequest, freeze_spec: FreezeSpec, benchmark: Benchmark) -> FreezeRun:
    """Train this test's configuration when called, record it, and hold it to its accuracy limit; see FreezeRun."""
    from freezebench.specs.freeze import FreezeSpec

    session_gate(request.config).note_request(request.node.nodeid)
    # A project may have a fixture ``freeze_spec`` of its own; what trains is what the id of the test says.
    spec = freeze_spec if case_of(request.node) is None else FreezeSpec.parse(spec_of(request.node))
    return FreezeRun(request.node, spec, _usable(benchmark, request.config))


def _usable(benchmark: Benchmark, config: pytest.Config) -> Benchmark:
    """Return a fixture that takes figures; the test fails if pytest-benchmark's was replaced by one that does not."""
    if all(hasattr(benchmark, name) for name in ("name", "extra_info", "has_error", "disabled", "pedantic")):
        return benchmark
    if not config.pluginmanager.hasplugin("benchmark"):
        return FallbackBenchmark.Fixture()
    pytest.fail(
        f"freeze_run cannot pass its times to the fixture benchmark, which is of the type {type(benchmark).__name__}. "
        "Give that fixture another name, or switch pytest-benchmark off by -p no:benchmark.",
        pytrace=False,
    )
