"""Which runs train on one slot with nothing between them."""

from __future__ import annotations

import pytest

import made_up
from freezebench.config.settings import Settings, resolve
from freezebench.config.sources import Source
from freezebench.planning.blocks import Block, blocks_of, ends_block
from freezebench.planning.finished import FinishedRuns, NeededRun
from freezebench.planning.session_plan import SessionPlan


def _settings(**flags: str) -> Settings:
    values = {"model": "tiny", "data": "made-up", **flags}
    return resolve([Source(label="{flag}", values=values)], lambda: ("embedded", "x"))


def _run(freeze: str, seed: int, *, must_be_new: bool = False, series: str | None = None, **flags: str) -> NeededRun:
    spec = _settings(**flags).run_spec(freeze, seed)
    return NeededRun(spec=spec, must_be_new=must_be_new, interleaved_with=series)


def _names(blocks: list[Block]) -> list[str]:
    return [" ".join(f"{run.spec.freeze}-{run.spec.seed}" for run in block.runs) for block in blocks]


RUNS = [_run(freeze, seed) for seed in (42, 43) for freeze in ("none", "emb")]


def test_ordinary_runs_are_blocks_of_their_own() -> None:
    """So that the plan can change after each of them."""
    blocks = blocks_of(RUNS, arms_together=False)
    assert _names(blocks) == ["none-42", "emb-42", "none-43", "emb-43"]
    assert not any(block.is_alone for block in blocks)


def test_configurations_of_a_seed_are_one_block_where_devices_differ() -> None:
    """Those of other experiments are another one, however their learning rates differ."""
    other = _run("none", 42, data="another")
    blocks = blocks_of([*RUNS, other, _run("emb+L0", 43, lr="1e-5,emb+L0:1e-3")], arms_together=True)
    assert _names(blocks) == ["none-42 emb-42", "none-43 emb-43 emb+L0-43", "none-42"]
    assert not any(block.is_alone for block in blocks)


def test_runs_whose_times_are_judged_train_alone() -> None:
    """All configurations of a seed together, on any kind of slot."""
    timed = [_run(freeze, seed, must_be_new=True) for seed in (42, 43) for freeze in ("none", "emb")]
    blocks = blocks_of(timed, arms_together=False)
    assert _names(blocks) == ["none-42 emb-42", "none-43 emb-43"]
    assert all(block.is_alone for block in blocks)


def test_unfrozen_runs_that_show_the_noise_train_alone_on_a_shared_processor() -> None:
    """There a time is none while a neighbour trains; on a GPU of its own it is."""
    settings = _settings(num_seeds="2", min_speedup="emb:1.5")
    plan = SessionPlan([(settings, freeze) for freeze in ("none", "emb", "emb+L0")])
    runs = plan.runs_left(FinishedRuns())[:4]
    assert [run.spec.freeze for run in runs] == ["none", "emb+L0", "none", "emb+L0"]
    assert [block.is_alone for block in blocks_of(runs, arms_together=False)] == [True, False, True, False]
    assert [block.is_alone for block in blocks_of(runs, arms_together=True)] == [False, False]


def test_a_series_is_one_block() -> None:
    """With its runs in order, apart from ordinary runs of the same configurations."""
    series = [_run(freeze, 42, must_be_new=True, series="emb") for freeze in ("none", "emb")]
    blocks = blocks_of([RUNS[0], *series], arms_together=False)
    assert _names(blocks) == ["none-42", "none-42 emb-42"]
    assert [block.is_alone for block in blocks] == [False, True]


@pytest.mark.parametrize(
    ("freeze", "series", "ends"), [("none", None, True), ("emb", None, False), ("none", "emb", True)]
)
def test_a_broken_run_ends_what_depends_on_it(freeze: str, series: str | None, ends: bool) -> None:
    """Nothing can be compared with a broken baseline, and a series has no gap; other configurations train on."""
    run = _run(freeze, 42, series=series)
    assert ends_block(run, made_up.broken(freeze)) is ends
    assert not ends_block(run, made_up.record(freeze))


def test_a_baseline_of_one_class_ends_its_block() -> None:
    """As a broken one does; a configuration of one class is a result."""
    assert ends_block(_run("none", 42), made_up.one_class("none", 42))
    assert not ends_block(_run("emb", 42), made_up.one_class("emb", 42))
