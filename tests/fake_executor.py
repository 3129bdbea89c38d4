"""An executor that trains nothing: its records are made up, and it has as many slots as a test says."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import Future
from pathlib import Path

import made_up
from freezebench.errors import FreezebenchError, ModelError
from freezebench.executors.base import OnEnd, untrained
from freezebench.records.run_record import RunRecord
from freezebench.records.trainable_set import TrainableSet
from freezebench.runs.environment import Machine
from freezebench.specs.run import RunSpec
from freezebench.specs.slots import Slot

_GAP_S = 0.02  # long enough for the first of two runs to be recorded before the second ends
_PATIENCE_S = 0.5


class FakeExecutor:
    """A block on the only slot ends in ``submit``; those on several slots end in a thread, the last one first.

    Attributes:
        slots: The slots.
        blocks: What was submitted, such as ``emb 42``, in order, one list for each block.
        submitted: The same without blocks.
        saved_to: The folders to which models were to be saved; nothing is written there.
        num_cancelled: How often ``cancel`` was called.
        trainable: What the preflight check finds that each configuration trains; may be changed.
    """

    def __init__(
        self, train: Callable[[RunSpec], RunRecord], *, num_slots: int = 1, shares_processor: bool = True
    ) -> None:
        names = [f"cpu {number}" for number in range(num_slots)] if num_slots > 1 else [""]
        self.slots = tuple(Slot(name=name, shares_processor=num_slots > 1 and shares_processor) for name in names)
        self.blocks: list[list[str]] = []
        self.submitted: list[str] = []
        self.saved_to: list[Path] = []
        self.num_cancelled = 0
        self.trainable: dict[str, TrainableSet] = {}
        self._train = train
        self._waiting: list[tuple[Sequence[RunSpec], OnEnd, Future[None]]] = []
        self._lock = threading.Lock()

    def submit(
        self,
        specs: Sequence[RunSpec],
        slot: Slot,  # noqa: ARG002 - the protocol's argument
        on_end: OnEnd,
        *,
        save_to: Path | None = None,
    ) -> Future[None]:
        """Take a block, and end all that were taken once every slot has one, or no further one comes for a moment."""
        self.saved_to += [] if save_to is None else [save_to]
        self.blocks.append([f"{spec.freeze} {spec.seed}" for spec in specs])
        self.submitted += self.blocks[-1]
        future: Future[None] = Future()
        with self._lock:
            self._waiting.append((specs, on_end, future))
            is_full = len(self._waiting) == len(self.slots)
        if len(self.slots) == 1:
            self._end()
        else:
            threading.Timer(0 if is_full else _PATIENCE_S, self._end).start()
        return future

    def _end(self) -> None:
        with self._lock:
            blocks, self._waiting = self._waiting[::-1], []
        for number, (specs, on_end, future) in enumerate(blocks):
            if number:
                # The first of two runs is recorded before the second one ends.
                time.sleep(_GAP_S)
            for position, spec in enumerate(specs):
                if not on_end(position, self._record(spec)):
                    break
            future.set_result(None)

    def _record(self, spec: RunSpec) -> RunRecord:
        try:
            return self._train(spec)
        except FreezebenchError as error:
            return untrained(spec, error)

    def expect(self, freezes: Iterable[str]) -> None:
        """Do nothing."""

    def preflight(
        self,
        spec: RunSpec,  # noqa: ARG002 - the protocol's arguments
        grid: Iterable[str],
        *,
        may_train_nothing: Collection[str] = (),  # noqa: ARG002
        will_save: bool = False,  # noqa: ARG002
    ) -> dict[str, TrainableSet]:
        """Return what the configurations train, as far as ``trainable`` says it."""
        return {freeze: self.trainable[freeze] for freeze in grid if freeze in self.trainable}

    def machine(self, spec: RunSpec, slot: Slot | None = None) -> Machine:  # noqa: ARG002
        """Return a made-up CPU."""
        return Machine(device=spec.device, device_name="a CPU", precision="float32", environment={})

    def cancel(self) -> None:
        """Count the call."""
        self.num_cancelled += 1

    def close(self) -> None:
        """Do nothing."""


def by_accuracy(**accuracies: float) -> Callable[[RunSpec], RunRecord]:
    """Return a function that trains configurations to the given accuracies, ``.9`` where none is given."""
    return lambda spec: made_up.record(spec.freeze, spec.seed, accuracy=accuracies.get(spec.freeze, 0.9))


def failing(freeze: str) -> Callable[[RunSpec], RunRecord]:
    """Return a function that trains all configurations but one, which cannot be trained."""

    def train(spec: RunSpec) -> RunRecord:
        if spec.freeze == freeze:
            raise ModelError("no such model")
        return made_up.record(spec.freeze, spec.seed)

    return train
