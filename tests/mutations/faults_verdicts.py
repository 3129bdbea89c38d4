"""Faults in records, in the store of finished runs, and in verdicts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from faults_training import shuffle_labels
from freezebench.config.settings import Settings
from freezebench.planning import results
from freezebench.records.run_record import RunRecord
from freezebench.records.store import Store, _canonical
from freezebench.runs import experiment
from freezebench.training.engines.job import Job
from freezebench.verdicts import arms, noninferiority
from freezebench.verdicts.crossed import Interval
from mutant import CANDIDATE, Fault, Mutant


def _copied_record(mutant: Mutant) -> None:
    unfrozen: dict[int, RunRecord] = {}

    def run(original: Any, spec: Any, **arguments: Any) -> RunRecord:
        if spec.freeze == "none":
            unfrozen[spec.seed] = original(spec, **arguments)
            return unfrozen[spec.seed]
        return replace(unfrozen[spec.seed], spec=spec)

    mutant.replace(experiment, "run", run)


def _edited_record(mutant: Mutant) -> None:
    def run(original: Any, spec: Any, **arguments: Any) -> RunRecord:
        record: RunRecord = original(spec, **arguments)
        assert record.test is not None
        assert record.test.accuracy is not None
        return replace(record, test=replace(record.test, accuracy=record.test.accuracy - 0.1))

    mutant.replace(experiment, "run", run)


def _edit_files(mutant: Mutant, *, with_checksum: bool) -> None:
    """Raise the accuracy of the candidate's records in the store."""
    for path in (mutant.folder / "store").glob("*.json"):
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["record"]["spec"]["freeze"] != CANDIDATE:
            continue
        mutant.num_calls += 1
        content["record"]["test"]["accuracy"] = 1.0
        if with_checksum:
            body = {name: content[name] for name in ("record", "files_sha256")}
            content["sha256"] = hashlib.sha256(_canonical(body)).hexdigest()
        path.write_text(json.dumps(content), encoding="utf-8")


def _other_record_from_the_store(mutant: Mutant) -> None:
    unfrozen: list[RunRecord] = []

    def load(original: Any, self: Store, key: str) -> RunRecord | None:
        record: RunRecord | None = original(self, key)
        if record is not None and record.spec.freeze == "none":
            unfrozen.append(record)
        return record and unfrozen[-1]

    mutant.replace(Store, "load", load)


def _arms_swapped(mutant: Mutant) -> None:
    shuffle_labels(mutant)

    def squares(original: Any, baseline: Any, candidate: Any, *groups: Any, **named: Any) -> Any:
        return original(candidate, baseline, *groups, **named)

    mutant.replace(arms, "mean_squares_of_metric", squares)


def _wrong_bound(mutant: Mutant) -> None:
    def decide(original: Any, interval: Interval, margin_pp: float, *texts: Any) -> Any:
        outcome, reason = original(interval, margin_pp, *texts)
        return ("non_inferior" if interval.lower_pp < margin_pp else outcome), reason

    mutant.replace(noninferiority, "_judge", decide)


def _invalid_run_averaged_away(mutant: Mutant) -> None:
    def loss(original: Any, self: Job, batch: Any) -> Any:
        if self.seed == 43:
            raise ArithmeticError("made up")
        return original(self, batch)

    mutant.replace(Job, "loss", loss, only=CANDIDATE)

    def judged(original: Any, freeze: str, records: Any, baseline: Any, **named: Any) -> Any:
        valid = [number for number, record in enumerate(records) if record.is_valid]
        return original(freeze, [records[number] for number in valid], [baseline[number] for number in valid], **named)

    mutant.replace(results, "judge", judged)


def _judge_with(change: Callable[[Any], dict[str, Any]]) -> Callable[[Mutant], None]:
    """Change the arguments by which candidates are judged."""

    def put_in(mutant: Mutant) -> None:
        def judged(original: Any, freeze: str, records: Any, baseline: Any, **named: Any) -> Any:
            arguments = {"records": records, "baseline": baseline, **named}
            if freeze == CANDIDATE:
                arguments |= change(arguments)
            return original(freeze, arguments.pop("records"), arguments.pop("baseline"), **arguments)

        mutant.replace(results, "judge", judged)

    return put_in


def _no_limit(mutant: Mutant) -> None:
    shuffle_labels(mutant)
    _judge_with(lambda _: {"limit_pp": None})(mutant)


def _undecided_passes(mutant: Mutant) -> None:
    mutant.replace(Settings, "policy", lambda *_: "pass")


FAULTS = (
    Fault(
        name="copied-record",
        change="the candidate's record is a copy of the baseline's",
        ending="INVALID",
        sentence="emb+L0 trained 22,370 parameters, as many as no freezing",
        put_in=_copied_record,
    ),
    Fault(
        name="edited-record",
        change="the accuracy in a record is not that of its predictions",
        ending="INVALID",
        sentence="the result contradicts itself: seed 42 of none has the accuracy *, and * of its predictions *",
        put_in=_edited_record,
    ),
    Fault(
        name="edited-file",
        change="the accuracy in a file of the store is edited",
        ending="warning",
        sentence="is not used: its checksum does not match its content. *, and the run is trained again.",
        put_in=lambda mutant: _edit_files(mutant, with_checksum=False),
        before=True,
    ),
    Fault(
        name="edited-file-with-checksum",
        change="the accuracy in a file of the store is edited, and its checksum, too",
        ending="warning",
        sentence="is not used: it contradicts itself: the accuracy of test is 1.0000, and its predictions give *",
        put_in=lambda mutant: _edit_files(mutant, with_checksum=True),
        before=True,
    ),
    Fault(
        name="other-record-from-the-store",
        change="the store returns the record of another run",
        ending="INVALID",
        sentence="the result contradicts itself: seed 42 of emb+L0 is a run of none",
        put_in=_other_record_from_the_store,
        before=True,
    ),
    Fault(
        name="arms-swapped",
        change="the interval is that of candidate - baseline, where the candidate lost 40 points",
        ending="INVALID",
        sentence="the result contradicts itself: the drop is given as -* points; no freezing has an accuracy of *",
        put_in=_arms_swapped,
    ),
    Fault(
        name="wrong-bound",
        change="the lower bound is compared with the limit, not the upper one",
        ending="INVALID",
        sentence="the result contradicts itself: non_inferior at * points does not follow from the bounds *",
        put_in=_wrong_bound,
        marker={"max_drop": 0.1},
    ),
    Fault(
        name="invalid-run-averaged-away",
        change="an invalid run is left out, and the valid ones are judged",
        ending="INVALID",
        sentence="the result contradicts itself: 3 seeds of emb+L0 had to be judged, not 1",
        put_in=_invalid_run_averaged_away,
    ),
    Fault(
        name="seed-left-out",
        change="one of three seeds is left out of the verdict",
        ending="INVALID",
        sentence="the result contradicts itself: 3 seeds of emb+L0 had to be judged, not 2",
        put_in=_judge_with(lambda named: {name: named[name][:2] for name in ("records", "baseline")}),
    ),
    Fault(
        name="limit-ignored",
        change="the limit of a configuration is ignored, which lost 40 points",
        ending="INVALID",
        sentence="the result contradicts itself: the limit of emb+L0 is 10 points, and it was judged by none",
        put_in=_no_limit,
    ),
    Fault(
        name="undecided-passes-in-ci",
        change="an inconclusive test passes in continuous integration",
        ending="INCONCLUSIVE",
        sentence="INCONCLUSIVE: no candidate has a conclusive verdict (0 of 1): *",
        put_in=_undecided_passes,
        marker={"max_drop": 0.1, "margin": 0.1},
        environment={"CI": "true"},
    ),
)
