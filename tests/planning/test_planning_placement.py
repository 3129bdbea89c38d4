"""Which block trains next on which slot."""

from __future__ import annotations

from freezebench.planning.blocks import Block
from freezebench.planning.finished import NeededRun
from freezebench.planning.placement import place
from freezebench.specs.data import DataSpec
from freezebench.specs.run import RunSpec
from freezebench.specs.slots import Slot

A0, A1, B0 = (Slot(name=name, node=name[0]) for name in ("a0", "a1", "b0"))


def _block(seed: int, *, is_alone: bool = False) -> Block:
    spec = RunSpec(model="tiny", data=DataSpec(source="made-up"), seed=seed)
    return Block(runs=(NeededRun(spec=spec),), is_alone=is_alone)


PLAIN = [_block(seed) for seed in range(4)]
TIMED = _block(9, is_alone=True)


def test_blocks_go_in_order_to_free_slots() -> None:
    """As many as there are; the others wait."""
    assert place(PLAIN, [A0, A1, B0], {A1: TIMED}) == [(PLAIN[0], B0)]
    assert place(PLAIN, [A0, A1, B0], {}) == [(PLAIN[0], A0), (PLAIN[1], A1), (PLAIN[2], B0)]
    assert place(PLAIN, [], {}) == []
    assert place([], [A0], {}) == []


def test_a_timed_block_takes_a_node_of_its_own() -> None:
    """Nothing else starts there, not even on a free slot."""
    assert place([TIMED, *PLAIN], [A0, A1, B0], {}) == [(TIMED, A0), (PLAIN[0], B0)]
    assert place([TIMED], [A0, A1, B0], {A0: PLAIN[0]}) == [(TIMED, B0)]
    assert place(PLAIN, [A0, A1], {A0: TIMED}) == []


def test_a_node_becomes_quiet_for_a_timed_block_that_waits() -> None:
    """Otherwise the others would never leave it one; other nodes go on."""
    assert place([TIMED, *PLAIN], [A0, A1, B0], {A0: PLAIN[0], B0: PLAIN[1]}) == []
    slots = [A0, A1, B0, Slot(name="b1", node="b")]
    assert place([TIMED, *PLAIN], slots, {A0: PLAIN[0], B0: PLAIN[1]}) == [(PLAIN[0], slots[3])]


def test_two_timed_blocks_train_on_two_nodes() -> None:
    """One after the other where there is one node."""
    other = _block(8, is_alone=True)
    assert place([TIMED, other], [A0, A1, B0], {}) == [(TIMED, A0), (other, B0)]
    assert place([TIMED, other], [A0, A1], {}) == [(TIMED, A0)]
