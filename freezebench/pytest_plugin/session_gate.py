"""What must not be green: complaints about a session as a whole, which no single test reports.

In CI each complaint fails the session. Elsewhere it is a warning in the summary. The outcomes of the tests are not
enough: a test may never call ``freeze_run``, or catch the exception by which ``freeze_run`` fails it.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from freezebench.pytest_plugin.items import items_without_training, planned_items, spec_of
from freezebench.pytest_plugin.options import find_session
from freezebench.units import listed

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from freezebench.session import FreezeSession
    from freezebench.verdicts.judge import ConfigurationResult

_MOST_NAMED = 5
_NOT_CALLED = "freeze_run was not called"
_GATE = pytest.StashKey["SessionGate"]()
_COMPLAINTS = pytest.StashKey["list[Complaint]"]()
_WARNINGS = pytest.StashKey["list[str]"]()


@dataclass(frozen=True)
class Complaint:
    """A reason why a session must not pass in CI.

    Attributes:
        name: The last part of the failed report's node id, such as ``conclusive``.
        sentence: What is wrong and what to do.
    """

    name: str
    sentence: str


class SessionGate:
    """A plugin that keeps what became of every freeze test: its result, and the outcome that pytest counted.

    Attributes:
        has_candidates: Whether a test is expected to train a configuration that freezes something.
    """

    def __init__(self) -> None:
        # Why a test has no result if nothing else tells, by node id.
        self._expected: dict[str, str] = {}
        self.has_candidates = False
        self._called: set[str] = set()
        # Results, and whether they fail their tests, by node id.
        self._results: dict[str, tuple[ConfigurationResult, bool]] = {}
        self._ended: set[str] = set()
        self._failed: set[str] = set()
        self._expected_to_fail: set[str] = set()
        self._skip_reasons: dict[str, str] = {}

    @property
    def has_failures(self) -> bool:
        """Whether some test failed."""
        return bool(self._failed)

    @property
    def causes(self) -> set[str]:
        """The causes of invalid baselines that failed tests have named."""
        failed = (result for node_id, (result, _) in self._results.items() if node_id in self._failed)
        return {result.broken for result in failed if result.is_baseline and result.broken}

    def expect(self, config: pytest.Config, items: Sequence[pytest.Item]) -> None:
        """Take the selected tests before the first one runs."""
        planned = planned_items(items)
        self.has_candidates = any(spec_of(item) != "none" for item in planned)
        self._expected = {item.nodeid: _NOT_CALLED for item in planned}
        self._expected |= items_without_training(config, items)

    def note_request(self, node_id: str) -> None:
        """Keep that a test has the value of ``freeze_run``, which it may have requested while it runs."""
        self._expected.setdefault(node_id, _NOT_CALLED)

    def note_call(self, node_id: str) -> None:
        """Keep that a test called ``freeze_run``."""
        self._called.add(node_id)

    def has_result(self, node_id: str) -> bool:
        """Return whether a test has a result, as before it is rerun."""
        return node_id in self._results

    def note_result(self, node_id: str, result: ConfigurationResult, *, fails: bool) -> None:
        """Keep the result of a test, and whether it fails the test."""
        self._results[node_id] = result, fails

    # The first hook, as pytest's own that counts failures: what later hooks do to a report changes no exit code.
    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the outcome of a test."""
        self._ended.add(report.nodeid)
        if hasattr(report, "wasxfail"):
            self._expected_to_fail.add(report.nodeid)
        elif report.failed:
            self._failed.add(report.nodeid)
        elif report.skipped and isinstance(report.longrepr, tuple):
            self._skip_reasons[report.nodeid] = str(report.longrepr[2]).removeprefix("Skipped: ")

    def without_result(self) -> str | None:
        """Return a complaint if tests neither failed nor have a result."""
        missing = [node_id for node_id in self._expected if node_id not in self._results.keys() | self._failed]
        if not missing:
            return None
        by_reason: dict[str, list[str]] = {}
        for node_id in missing:
            by_reason.setdefault(self._why_missing(node_id), []).append(node_id)
        causes = "; ".join(f"{reason}: {listed(node_ids, _MOST_NAMED)}" for reason, node_ids in by_reason.items())
        return (
            f"INCONCLUSIVE: {len(missing)} of {len(self._expected)} freeze tests have no result. {causes}. "
            "A freeze test has to call freeze_run(); mark one that must not train with skip, skipif or "
            'xfail(run=False), or deselect it, as by -m "not freeze".'
        )

    def not_failed(self) -> dict[str, str]:
        """Return a complaint on tests that did not fail although their result fails them, by its first word."""
        from freezebench.report.gate_text import standing_word

        passed: dict[str, list[str]] = {}
        for node_id, (result, fails) in self._results.items():
            if fails and node_id not in self._failed | self._expected_to_fail:
                passed.setdefault(standing_word(result), []).append(f"{result.freeze} ({node_id})")
        return {
            word.lower(): f"{word}: {listed(names, _MOST_NAMED)}, and the test did not fail. Let the exception "
            "of freeze_run() end the test; mark a test that is expected to fail with xfail."
            for word, names in passed.items()
        }

    def _why_missing(self, node_id: str) -> str:
        if node_id in self._skip_reasons:
            return f"Skipped ({self._skip_reasons[node_id]})"
        if node_id in self._called:
            return "freeze_run() ended without a result"
        return self._expected[node_id] if node_id in self._ended else "Not run"


def session_gate(config: pytest.Config) -> SessionGate:
    """Return the gate of this pytest run, made and registered at the first call."""
    if _GATE not in config.stash:
        config.stash[_GATE] = SessionGate()
        config.pluginmanager.register(config.stash[_GATE], "freezebench-gate")
    return config.stash[_GATE]


def complaints(config: pytest.Config) -> list[Complaint]:
    """Return what is wrong with a session once its tests have run; a session without freeze tests has no complaint."""
    gate, session = session_gate(config), find_session(config)
    sentences = {
        "result": gate.without_result(),
        **gate.not_failed(),
        "conclusive": session and _undecided(session, gate),
    }
    compared = [
        sentence for reference in (session.references if session else ()) for sentence in reference.complaints()
    ]
    return [
        *(Complaint(name, sentence) for name, sentence in sentences.items() if sentence),
        *(Complaint("compared", sentence) for sentence in compared),
    ]


def keep_complaints(config: pytest.Config, *, are_warnings: bool) -> list[Complaint]:
    """Return the complaints about a session whose tests have run, and keep them for its summary.

    Args:
        config: pytest's configuration.
        are_warnings: Whether the summary warns of them; in CI each of them is a failure of its own.
    """
    kept = complaints(config)
    config.stash[_COMPLAINTS] = kept
    config.stash[_WARNINGS] = [complaint.sentence for complaint in kept] if are_warnings else []
    return kept


def kept_sentences(config: pytest.Config) -> list[str]:
    """Return the sentences of the kept complaints; none if the session was stopped."""
    return [complaint.sentence for complaint in config.stash.get(_COMPLAINTS, [])]


def warning_lines(config: pytest.Config) -> list[str]:
    """Return the kept complaints as warnings; none in CI, where they fail the session."""
    return [f"freezebench: warning: {sentence}" for sentence in config.stash.get(_WARNINGS, [])]


def _undecided(session: FreezeSession, gate: SessionGate) -> str | None:
    """Return a complaint if nothing was compared, or if nothing of some experiment is decided."""
    tables = session.results()
    # What was not run would only repeat the runs of another configuration.
    results = [result for _, group in tables for result in group if result.was_run]
    is_baseline_alone = all(result.is_baseline and not result.is_asserted for _, group in tables for result in group)
    if results and is_baseline_alone and not gate.has_candidates and not gate.has_failures:
        return (
            "INCONCLUSIVE: only the unfrozen baseline was selected, so nothing was compared. Select configurations "
            "that freeze something, such as --freeze-grid=all."
        )
    # The verdicts of one model say nothing about another one.
    by_word: dict[str, list[str]] = {}
    for settings, group in tables:
        word, sentence = _undecided_table(group, gate.causes)
        if sentence is not None:
            name = "" if len(tables) == 1 else f"{settings.model} on {settings.data.source}: "
            by_word.setdefault(word, []).append(f"{name}{sentence}")
    return " ".join(f"{word}: {' '.join(sentences)}" for word, sentences in by_word.items()) or None


def _undecided_table(requested: Sequence[ConfigurationResult], told: Container[str]) -> tuple[str, str | None]:
    """Return the complaint about an experiment in which nothing is decided, after its word; ``None``: something is.

    Args:
        requested: The results of the experiment.
        told: The causes of invalid baselines that failed tests have named.
    """
    baseline = next((result for result in requested if result.is_baseline), None)
    if baseline is not None and baseline.broken:
        return "INVALID", _broken_baseline(baseline, baseline.broken, is_told=baseline.broken in told)
    return "INCONCLUSIVE", _without_decision(requested)


def _broken_baseline(baseline: ConfigurationResult, cause: str, *, is_told: bool) -> str:
    """Return the complaint about an experiment whose baseline is no measure, with what is likely to repair it.

    Args:
        baseline: The baseline.
        cause: Why it is invalid.
        is_told: Whether the failure of its own test says both.
    """
    from freezebench.report.repairs import repairing_steps
    from freezebench.verdicts.judge import BASELINE_INVALID

    if is_told:
        return (
            f"nothing is compared, since {BASELINE_INVALID}. Remove the cause, which its failed test names: every drop "
            "is measured from the baseline."
        )
    steps = "".join(f" {step}" for step in repairing_steps(baseline))
    return (
        f"nothing is compared, since {BASELINE_INVALID}: {cause.rstrip('.')}. Remove the cause, since every drop is "
        f"measured from the baseline.{steps}"
    )


def _without_decision(requested: Sequence[ConfigurationResult]) -> str | None:
    """Return the complaint about valid unfrozen runs with which nothing is decided; ``None``: something is."""
    from freezebench.report.next_steps import UNFIX
    from freezebench.report.verdict_text import is_decided, nothing_of_its_own

    results = [result for result in requested if result.was_run]
    ended = next((result.not_reached for result in requested if result.not_reached), None)
    num_not_run = len(requested) - len(results)
    if ended is None and num_not_run and all(result.is_baseline for result in results):
        return f"no candidate has a conclusive verdict (0 of {num_not_run}): {nothing_of_its_own(requested)}. {UNFIX}"
    # A baseline has limits only against a saved run.
    compared = [result for result in results if not result.is_baseline or result.is_asserted]
    asserted = [result for result in compared if result.is_asserted] or compared
    if any(map(is_decided, asserted)):
        return None
    if ended is not None:
        num_candidates = sum(not result.is_baseline for result in requested)
        return (
            f"no candidate has a conclusive verdict (0 of {num_candidates}): {ended}. Allow a larger --freeze-budget."
        )
    if not asserted:
        return None
    num_judged = sum(not result.is_baseline for result in asserted) or len(asserted)
    return f"no candidate has a conclusive verdict (0 of {num_judged}){_remedy(asserted)}"


def _remedy(undecided: Sequence[ConfigurationResult]) -> str:
    """Return what would decide one of several results, or why none can be decided, as the end of a sentence."""
    from freezebench.report.repairs import repairing_steps

    asked = [result.gate if result.is_asserted else result.verdict for result in undecided]
    open_verdicts = [verdict for verdict in asked if verdict is not None and verdict.outcome == "inconclusive"]
    judged = [verdict for verdict in open_verdicts if verdict.too_few is None]
    if judged and all(verdict.drop_pp is not None and verdict.drop_pp >= verdict.margin_pp for verdict in judged):
        steps = "".join(f" {step}" for step in next(filter(None, map(repairing_steps, undecided)), ()))
        return (
            ": no drop is below its limit, and no number of seeds would show that it is. Change the training, or "
            f"select configurations that freeze less.{steps}"
        )
    if judged:
        return ". Use more seeds (--freeze-num-seeds) or more test sentences; the summary says how many."
    if open_verdicts:
        return f": too few examples, {open_verdicts[0].too_few}. Use a larger test set."
    parts = (part for result in undecided for part in result.parts)
    open_parts = (part.sentence for part in parts if part.standing in ("undecided", "broken"))
    causes = (f"{result.freeze} is invalid: {result.broken}" for result in undecided if result.broken)
    reason = next(itertools.chain(open_parts, causes), "nothing could be judged").rstrip(".")
    return f": {reason}. Remove the cause, or select other configurations."
