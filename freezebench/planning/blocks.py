"""Blocks: runs that train in order on one slot with nothing between them.

Runs whose times are compared belong together, for another device or another minute is another speed. Where several
slots train, all configurations of a seed are one block, so that neighbours share their device; a series of interleaved
runs always is one. Other runs are blocks of their own, so that the plan can change after each of them.

    one slot       none 42 │ emb 42 │ emb+L0 42 │ none 43 │ …              │ none 42 emb 42 emb 43 none 43 …  │
    several GPUs   none 42  emb 42  emb+L0 42   │ none 43  emb 43  …       │ (interleaved, alone on its node) │
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from freezebench.planning.interleaving import ends_series
from freezebench.verdicts.baseline import one_class_fault

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence

    from freezebench.planning.finished import NeededRun
    from freezebench.records.run_record import RunRecord
    from freezebench.specs.slots import Slot


@dataclass(frozen=True, kw_only=True)
class Block:
    """Runs that train in order on one slot with nothing between them.

    Attributes:
        runs: The runs.
        is_alone: Whether nothing else trains on the node of its slot meanwhile, because its times are going to be
            judged.
    """

    runs: tuple[NeededRun, ...]
    is_alone: bool = False


def trains_arms_together(slots: Sequence[Slot]) -> bool:
    """Return whether all configurations of a seed train on one slot: where several have devices of their own."""
    return len(slots) > 1 and not all(slot.shares_processor for slot in slots)


@dataclass(kw_only=True)
class Training:
    """A block that trains now.

    Attributes:
        block: The block.
        slot: Where it trains.
        is_alone: Whether no other slot of its node may train meanwhile, so that its costs are its own.
        num_ended: How many of its runs have ended.
        is_over: Whether its last run has ended, so that its slot is free at once.
        series: The records of its interleaved runs, which count once the block has ended as a whole.
    """

    block: Block
    slot: Slot
    is_alone: bool
    num_ended: int = 0
    is_over: bool = False
    series: list[RunRecord] = field(default_factory=list)

    @property
    def num_left(self) -> int:
        """How many of its runs have not ended."""
        return len(self.block.runs) - self.num_ended


def blocks_of(needed: Iterable[NeededRun], *, arms_together: bool) -> list[Block]:
    """Return the blocks of needed runs, in the order of their first runs.

    Args:
        needed: The runs, in order.
        arms_together: Whether all configurations of a seed train on one slot. Those whose times are going to be judged
            always do.
    """
    groups: dict[Hashable, list[NeededRun]] = {}
    for run in needed:
        groups.setdefault(_group(run, arms_together=arms_together), []).append(run)
    return [
        Block(runs=tuple(runs), is_alone=any(_is_alone(run, arms_together=arms_together) for run in runs))
        for runs in groups.values()
    ]


def _is_alone(run: NeededRun, *, arms_together: bool) -> bool:
    """Return whether nothing may train beside a run."""
    # Beside runs on other devices a time is still one, which is enough to see how much times differ.
    return run.must_be_new or (run.is_timed and not arms_together)


def _group(run: NeededRun, *, arms_together: bool) -> Hashable:
    """Return what the runs of a block have in common."""
    if run.interleaved_with is not None:
        return run.interleaved_with
    if run.is_trial:  # its time counts for nothing
        return run
    if arms_together or run.must_be_new:
        return run.spec.experiment_id, run.spec.seed, run.must_be_new
    return run


def ends_block(needed: NeededRun, record: RunRecord) -> bool:
    """Return whether a run that has ended leaves the later ones of its block without a purpose."""
    if needed.interleaved_with is not None:
        return ends_series(record)
    # Without a baseline there is nothing to compare the other configurations with. If the metric accepts it (one of
    # scores may), they are planned in another block.
    return needed.spec.freeze == "none" and (not record.is_valid or bool(one_class_fault([record])))
