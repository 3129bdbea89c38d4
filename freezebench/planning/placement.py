"""Which block trains next on which slot: a pure function of the plan and of what trains now."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from freezebench.planning.blocks import Block
    from freezebench.specs.slots import Slot


def place(blocks: Iterable[Block], slots: Sequence[Slot], running: Mapping[Slot, Block]) -> list[tuple[Block, Slot]]:
    """Return the blocks that can start now, each with its slot.

    A block whose times are going to be judged starts on a node where nothing trains, and nothing starts beside it. For
    the first such block that finds no quiet node, one node is kept free of new blocks until it is quiet, since it would
    never start otherwise.

    Args:
        blocks: The blocks that wait, in the order in which they are needed.
        slots: All slots, in order.
        running: What trains now, by slot.
    """
    occupied = dict(running)
    closed = {slot.node for slot, block in running.items() if block.is_alone}
    placed = []
    for block in blocks:
        free = [slot for slot in slots if slot not in occupied and slot.node not in closed]
        if not free:
            break
        slot = free[0]
        if block.is_alone:
            busy = {other.node for other in occupied}
            slot = next((other for other in free if other.node not in busy), slot)
            closed.add(slot.node)
            if slot.node in busy:
                continue
        occupied[slot] = block
        placed.append((block, slot))
    return placed
