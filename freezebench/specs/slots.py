"""Slots: the places where runs train at the same time, one run at a time in each."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Slot:
    """A device, as one worker at a time uses it.

    Attributes:
        name: What progress calls it, such as ``cuda:1`` or ``cpu 2``; unique in a session. Empty if there is only one.
        node: The machine that it belongs to; what it does not share with other slots of the node is the device.
        shares_processor: Whether other slots of the session train on the same processor, so that the times of its runs
            mean nothing while one of them trains.
        visible_devices: Value of ``CUDA_VISIBLE_DEVICES`` for its worker; ``None``: that of the session.
    """

    name: str = ""
    node: str = ""
    shares_processor: bool = False
    visible_devices: str | None = None
