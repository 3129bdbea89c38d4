"""The plan of a session: what is left, how far the seeds are, and results that depend on no order."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import Phase, given
from hypothesis import settings as profile
from hypothesis import strategies as st

import made_up
from freezebench.config.settings import Settings, resolve
from freezebench.config.sources import Source
from freezebench.planning import session_plan
from freezebench.planning.blocks import Block, ends_block
from freezebench.planning.finished import FinishedRuns, NeededRun
from freezebench.planning.placement import place
from freezebench.planning.rounds import rounds
from freezebench.planning.session_plan import SessionPlan
from freezebench.records.run_record import RunRecord
from freezebench.records.trainable_set import TrainableSet
from freezebench.specs.budget import BudgetLimit
from freezebench.specs.slots import Slot
from freezebench.verdicts.judge import ConfigurationResult

GRID = ("none", "emb", "emb+L0", "emb+L0-1")
SEARCH = {"grid": "search"}


def _settings(**flags: str) -> Settings:
    values = {"model": "tiny", "data": "made-up", **flags}
    return resolve([Source(label="{flag}", values=values)], lambda: ("embedded", "x"))


def _plan(settings: Settings, *grid: str, with_times: bool = True) -> SessionPlan:
    return SessionPlan([(settings, freeze) for freeze in grid], with_times=with_times)


def _names(runs: list[NeededRun]) -> list[str]:
    return [f"{needed.spec.freeze} {needed.spec.seed}" for needed in runs]


def test_what_is_left_at_first_is_the_first_look_and_all_interleaved_runs() -> None:
    """Two configurations of three seeds; a required speed-up adds five unfrozen runs and two frozen ones."""
    assert len(_plan(_settings(num_seeds="3,5"), "emb").runs_left(FinishedRuns())) == 6
    timed = _settings(num_seeds="3", min_speedup="1.5")
    left = _plan(timed, "none", "emb").runs_left(FinishedRuns())
    assert _names(left)[:5] == ["none 42", "none 43", "none 44", "none 42", "emb 42"]
    assert [needed.must_be_new for needed in left] == [False] * 3 + [True] * 10
    assert len(_plan(timed, "none", "emb", with_times=False).runs_left(FinishedRuns())) == 6
    many = _settings(num_seeds="7", min_speedup="1.5")
    assert len(_plan(many, "none", "emb").runs_left(FinishedRuns())) == 7 + 10 + 2


@pytest.mark.parametrize(("models", "name"), [(["tiny"], "none"), (["tiny", "small"], "small none")])
def test_the_end_of_a_budget_names_the_experiment_where_there_are_several(models: list[str], name: str) -> None:
    """Every experiment has a first seed of the baseline."""
    tests = [(_settings(model=model), "emb") for model in models]
    plan = SessionPlan(tests, budget=BudgetLimit(text="1 run", max_runs=0))
    assert plan.budget_lines() == []
    run = NeededRun(spec=tests[-1][0].run_spec("none", 42))
    assert not plan.budget.admits(Block(runs=(run,)), [])
    assert f"the next run would have been {name} seed 42." in plan.budget_lines()[0]


def test_tests_of_one_table_share_their_rounds() -> None:
    """Their grids and policies may differ; a test with other seeds has rounds of its own."""
    first, second = _settings(grid="none,emb", num_seeds="1"), _settings(grid="emb+L0", num_seeds="1")
    plan = SessionPlan([(first, "none"), (first, "emb"), (second, "emb+L0")])
    assert plan.grid(first) == plan.grid(second) == ["none", "emb", "emb+L0"]
    plan.add([(_settings(num_seeds="2"), "head")])
    assert plan.grid(first) == ["none", "emb", "emb+L0"]
    assert _names(plan.runs_left(FinishedRuns())) == ["none 42", "emb 42", "emb+L0 42", "head 42", "none 43", "head 43"]


def test_seeds_finish_between_the_first_and_the_last() -> None:
    """The end of a look counts as its own, not as part of the next; a broken run is the last of its configuration."""
    settings, finished = _settings(num_seeds="2,3", max_drop="5"), FinishedRuns()
    plan = _plan(settings, *GRID)
    ends = {}
    for number in range(12):
        step = plan.next_step(settings, "emb+L0", finished)
        if isinstance(step, ConfigurationResult):
            break
        spec = step[0].spec
        broken = (spec.freeze, spec.seed) == ("emb+L0-1", 42)
        accuracy = {"none": 0.9, "emb": 0.5}.get(spec.freeze, 0.85)
        record = made_up.record(spec.freeze, spec.seed, accuracy=accuracy)
        finished.add(step[0], made_up.broken(spec.freeze) if broken else record)
        seeds = plan.seeds_finished(settings, finished)
        if seeds is not None:
            ends[number] = (seeds.num_ended, seeds.num_seeds, [len(runs) for runs in seeds.records.values()])
    assert number == 9
    assert ends == {
        3: (1, 2, [1, 1, 1, 1]),
        4: (1, 2, [1, 1, 1, 1]),
        5: (1, 2, [1, 1, 1, 1]),
        6: (2, 2, [2, 2, 2, 1]),
        7: (2, 2, [2, 2, 2, 1]),
    }


def test_no_seed_finishes_without_candidates_or_after_the_baseline_broke() -> None:
    """There is nothing to compare."""
    settings, finished = _settings(num_seeds="3"), FinishedRuns()
    finished.add(NeededRun(spec=settings.run_spec("none", 42)), made_up.record("none"))
    assert _plan(settings, "none").seeds_finished(settings, finished) is None
    finished.add(NeededRun(spec=settings.run_spec("none", 43)), made_up.broken("none", 43))
    assert _plan(settings, "none", "emb").seeds_finished(settings, finished) is None


def _session(
    plan: SessionPlan,
    settings: Settings,
    asked: tuple[str, ...],
    outcomes: dict[str, list[float | None]],
    *,
    draw: Any,
    slots: tuple[Slot, ...],
) -> tuple[list[tuple[str, int, str | None]], dict[str, ConfigurationResult]]:
    """Return the runs and results of a session whose slots end their runs, or are lost, in a drawn order."""
    finished, training = FinishedRuns(), dict[Slot, tuple[Block, list[RunRecord]]]()
    ran: list[tuple[str, int, str | None]] = []
    results = {}
    for freeze in asked:
        while not isinstance(step := plan.next_step(settings, freeze, finished), ConfigurationResult):
            under_way = {run.key for block, _ in training.values() for run in block.runs}
            blocks = plan.blocks(step, finished, under_way=under_way, slots=slots)
            running = {slot: block for slot, (block, _) in training.items()}
            training |= {slot: (block, []) for block, slot in place(blocks, slots, running)}
            _check_alone({slot: block for slot, (block, _) in training.items()})
            slot = sorted(training, key=lambda slot: slot.name)[draw(st.integers(0, len(training) - 1))]
            block, records = training[slot]
            if len(slots) > 1 and draw(st.integers(0, 9)) == 9:  # the slot is lost, with what its block holds
                del training[slot]
                continue
            run = block.runs[len(records)]
            records.append(_outcome(run, outcomes))
            if run.interleaved_with is None:
                # Earlier sessions have finished some of the runs.
                finished.add(run, records[-1], is_reused=not run.must_be_new and draw(st.booleans()))
                ran.append((run.spec.freeze, run.spec.seed, None))
            if ends_block(run, records[-1]) or len(records) == len(block.runs):
                del training[slot]
                for run, record in zip(block.runs, records, strict=False):
                    if run.interleaved_with is not None:
                        finished.add(run, record)
                        ran.append((run.spec.freeze, run.spec.seed, run.interleaved_with))
        results[freeze] = step
    return ran, results


def _check_alone(training: dict[Slot, Block]) -> None:
    """Check that nothing trains beside runs whose times are going to be judged, on the node of their slot."""
    alone = [slot.node for slot, block in training.items() if block.is_alone]
    assert all(sum(other.node == node for other in training) == 1 for node in alone)


def _outcome(needed: NeededRun, outcomes: dict[str, list[float | None]]) -> RunRecord:
    freeze, seed = needed.spec.freeze, needed.spec.seed
    accuracy = outcomes[freeze][seed - 42]
    return made_up.broken(freeze, seed) if accuracy is None else made_up.record(freeze, seed, accuracy=accuracy)


# Accuracies with which limits are decided or not, and runs that break.
OUTCOMES = st.lists(st.sampled_from([0.9, 0.9, 0.88, 0.85, 0.5, None]), min_size=5, max_size=5)


def _slots(num_slots: int, num_nodes: int, shares_processor: bool) -> tuple[Slot, ...]:
    return tuple(
        Slot(name=str(number), node=str(number % num_nodes), shares_processor=shares_processor)
        for number in range(num_slots)
    )


@profile(max_examples=25, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(
    data=st.data(),
    outcomes=st.fixed_dictionaries(dict.fromkeys(GRID, OUTCOMES)),
    asked=st.permutations(GRID),
    slots=st.builds(_slots, st.integers(1, 5), st.integers(1, 2), st.booleans()),
    limits=st.sampled_from([{}, {"pool_seeds": "yes"}, {"min_speedup": "emb:1.5"}, {"max_time": "2"}, SEARCH]),
)
def test_results_do_not_depend_on_the_order_in_which_runs_end(
    data: Any,
    outcomes: dict[str, list[float | None]],
    asked: list[str],
    slots: tuple[Slot, ...],
    limits: dict[str, str],
) -> None:
    """Any order of tests, slots, outcomes and losses gives the results of one slot, and each run ends once."""
    settings = _settings(num_seeds="2,4,5", max_drop="5", **limits)
    plan = _plan(settings, *GRID)
    serial, expected = _session(plan, settings, GRID, outcomes, draw=lambda _: 0, slots=(Slot(),))
    ran, results = _session(plan, settings, tuple(asked), outcomes, draw=data.draw, slots=slots)
    assert results == expected
    assert len({*ran}) == len(ran)
    # An interleaved run of the baseline serves as an ordinary one if it comes first.
    assert {run[:2] for run in serial} <= {run[:2] for run in ran}
    breaks = any(result.broken for result in expected.values())
    breaks = breaks or any(None in accuracies for accuracies in outcomes.values())
    # What was under way when a run broke is more than one slot trains; and the baseline's runs among interleaved ones
    # serve later looks if those come after them.
    if not breaks and not settings.costs.needs_paired_runs("emb"):
        assert sorted(map(str, ran)) == sorted(map(str, serial))


def _trains(*names: str) -> TrainableSet:
    return TrainableSet.of(names, num_params=len(names))


def _with_same(settings: Settings, *grid: str) -> SessionPlan:
    """Return a plan of a model whose embeddings and layer 0 are fixed, and whose last rung would train nothing."""
    plan = _plan(settings, *grid)
    same = dict.fromkeys(("none", "emb", "emb+L0"), _trains("layer 1"))
    plan.add_trainable(settings.experiment, {**same, "emb+L0-1": _trains()})
    return plan


def test_what_is_not_run_needs_no_run() -> None:
    """Neither in rounds nor interleaved with the baseline, and it is not pooled over; it has a result at once."""
    for flags in ({}, {"min_speedup": "1.5"}, {"pool_seeds": "yes"}, {"max_drop": "1"}):
        settings = _settings(num_seeds="2", **flags)
        plan = _with_same(settings, *GRID)
        assert _names(plan.runs_left(FinishedRuns())) == ["none 42", "none 43"]
        for freeze, same_as in (("emb", "none"), ("emb+L0", "none"), ("emb+L0-1", None)):
            result = plan.next_step(settings, freeze, FinishedRuns())
            assert isinstance(result, ConfigurationResult)
            assert (result.same_as, result.was_run, result.parts, result.gate) == (same_as, False, (), None)
        assert plan.grid(settings) == ["none"]
        ((_, results),) = plan.not_run()
        assert [result.freeze for result in results] == ["emb", "emb+L0", "emb+L0-1"]


def test_the_baseline_runs_for_those_alone_that_are_run() -> None:
    """Where nobody requested it and nothing is compared with it, it would train for nothing."""
    settings = _settings(num_seeds="2")
    assert _with_same(settings, "emb", "emb+L0-1").runs_left(FinishedRuns()) == []
    assert len(_with_same(settings, "emb", "L1").runs_left(FinishedRuns())) == 4


def test_another_experiment_knows_nothing_of_what_this_one_trains() -> None:
    """Its model, or its data, may be another."""
    settings, other = _settings(num_seeds="1"), _settings(num_seeds="1", model="other")
    plan = _with_same(settings, *GRID)
    plan.add([(other, "emb")])
    assert plan.is_run(other, "emb")
    assert not plan.is_run(settings, "emb")


def test_a_provisional_table_has_only_what_is_run() -> None:
    """After the first of two seeds."""
    settings, finished = _settings(num_seeds="2"), FinishedRuns()
    plan = _with_same(settings, *GRID, "L1")
    for freeze in ("none", "L1"):
        finished.add(NeededRun(spec=settings.run_spec(freeze, 42)), made_up.record(freeze, 42))
    seeds = plan.seeds_finished(settings, finished)
    assert seeds is not None
    assert list(seeds.records) == ["none", "L1"]


def test_a_table_is_planned_anew_only_after_its_own_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plan is made after every run of a session, which may have many tables; other runs are another state."""
    planned: list[str] = []

    def counted(settings: Settings, *arguments: Any) -> Any:
        planned.append(settings.model)
        return rounds(settings, *arguments)

    monkeypatch.setattr(session_plan, "rounds", counted)
    first, second = _settings(num_seeds="1"), _settings(num_seeds="1", model="other")
    plan = SessionPlan([(settings, freeze) for settings in (first, second) for freeze in ("none", "emb")])
    finished = FinishedRuns()
    (run, *_) = plan.runs_left(finished)
    assert planned == ["tiny", "other"]
    finished.add(run, made_up.record("none"))
    assert len(plan.runs_left(finished)) == 3
    assert len(plan.runs_left(finished)) == 3
    assert planned == ["tiny", "other", "tiny"]
    plan.add([(second, "emb+L0")])
    assert len(plan.runs_left(finished)) == 4
    assert planned[3:] == ["other"]
    assert len(plan.runs_left(FinishedRuns())) == 5
