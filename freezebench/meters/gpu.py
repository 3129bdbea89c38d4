"""The GPU meter: NVML calls of this process at the edges of a window, the sampler process in between."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from freezebench.meters.deadline import DeadlineWorker
from freezebench.meters.devices import DeviceInfo, Gpus, Selection, check_gpus, select_devices, torch_cuda
from freezebench.meters.edges import EDGE_DEADLINE_S, Edge, EdgeDraft, Sharing, judge_sharing
from freezebench.meters.gpu_readings import DeviceWindow, device_readings
from freezebench.meters.integrate import Sample
from freezebench.meters.nvml import Failure, Nvml, PowerSource, open_nvml, throttle_text
from freezebench.meters.stream import open_stream
from freezebench.meters.totals import no_gpu_readings, total_readings
from freezebench.meters.trace import Series

if TYPE_CHECKING:
    from collections.abc import Callable

    from freezebench.meters.sampler import Message
    from freezebench.meters.stream import Stream
    from freezebench.records.reading import Reading

_OPEN_DEADLINE_S = 1.5  # without persistence mode the driver initialises the GPU at the first call
_SETTLE_S = 0.15  # the energy counter is updated about every 0.1 s
_MARK_DEADLINE_S = 0.4
_MAX_FAILED_STARTS = 3  # each attempt may delay its window by more than a second
_HANGS = f"did not return within {EDGE_DEADLINE_S:.0f} s"


class GpuSession:
    """NVML, the thread that calls it, and the sampler process, for all windows of one process.

    No method raises or hangs because of the system: if the library is missing, the driver does not answer or the
    sampler dies, the readings give the reason.
    """

    def __init__(
        self,
        gpus: Gpus = None,
        *,
        interval_s: float = 0.05,
        clock: Callable[[], float] = time.monotonic,
        start_sampler: Callable[[float], Stream | Failure] = open_stream,
    ) -> None:
        self.interval_s = interval_s
        self.clock = clock
        self._start_sampler = start_sampler
        self._gpus = check_gpus(gpus)
        self._worker: DeadlineWorker | None = None
        self._opened: list[Nvml | Failure] = []
        self._stream: Stream | Failure | None = None
        self._sampled: tuple[str, ...] = ()
        # Messages of a sampler that failed while a window was open, and the reason; outer windows still need them.
        self._dead: tuple[list[Message], str | None] = ([], None)
        self._num_failed_starts = 0
        self._num_marks = 0
        self._num_open = 0

    @property
    def sampler_pid(self) -> int | None:
        """Process id of the sampler; ``None`` if none is running."""
        return None if self._stream is None or isinstance(self._stream, Failure) else self._stream.pid

    def window(self) -> GpuWindow:
        """Return a new window, not yet started."""
        return GpuWindow(self)

    def close(self) -> None:
        """End the sampler process and release NVML."""
        if self._stream is not None and not isinstance(self._stream, Failure):
            self._stream.close()
        self._stream = None
        if self._worker is not None:
            # A thread that hangs in an NVML call cannot release the library; the process's end does.
            if self._opened and isinstance(nvml := self._opened[0], Nvml) and not self._worker.is_stuck:
                self._worker.run(nvml.close, EDGE_DEADLINE_S)
            self._worker.close()
        self._worker = None
        self._opened = []

    def call(self, job: Callable[[], None], deadline_s: float = EDGE_DEADLINE_S) -> bool:
        """Run ``job`` in NVML's thread; return whether it was finished within the deadline."""
        if self._worker is None:
            self._worker = DeadlineWorker("freezebench-nvml")
        return self._worker.run(job, deadline_s)

    def select(self) -> Selection | str:
        """Return the devices to measure now, or the reason why NVML cannot be used."""
        if self._gpus == ():
            return Selection()
        if self._worker is not None and self._worker.is_stuck:
            return "an earlier NVML call has not returned yet: the driver hangs"
        selections: list[Selection] = []
        opened = self._opened

        def job() -> None:
            # A library whose first call returned after the deadline is used from then on.
            if not opened:
                opened.append(open_nvml())
            if isinstance(nvml := opened[0], Nvml):
                selections.append(select_devices(nvml, self._gpus, os.environ))

        self.call(job, _OPEN_DEADLINE_S)
        if selections:
            return selections[0]
        if opened and isinstance(failure := opened[0], Failure):
            return str(failure)
        return f"NVML did not open within {_OPEN_DEADLINE_S} s (try persistence mode: nvidia-smi -pm 1)"

    def nvml(self) -> Nvml:
        """Return the opened library."""
        nvml = self._opened[0]
        assert isinstance(nvml, Nvml)  # noqa: S101  # select() has returned devices, so it is open
        return nvml

    def open_sampler(self) -> None:
        """Start the sampler process if none is running, unless that has failed in three windows already."""
        may_retry = isinstance(self._stream, Failure) and self._num_failed_starts < _MAX_FAILED_STARTS
        if self._stream is None or may_retry:
            self._stream = self._start_sampler(self.interval_s)
            self._num_failed_starts += isinstance(self._stream, Failure)
            self._sampled = ()

    def begin_sampling(self, addresses: tuple[str, ...]) -> None:
        """Make the sampler poll these devices, besides those of the windows that are open already."""
        self._num_open += 1
        if self._num_open == 1:
            self._sampled = ()
            self._dead = ([], None)
        if self._stream is None or isinstance(self._stream, Failure):
            return
        if self._num_open == 1:
            self._stream.forget()
        # Devices keep their numbers while any window is open, since messages refer to them: new ones are appended.
        devices = tuple(dict.fromkeys((*self._sampled, *addresses)))
        if devices != self._sampled:
            self._sampled = devices
            self._stream.send({"do": "start", "devices": devices, "interval_s": self.interval_s})

    def number(self, address: str) -> int | None:
        """Return the number of the device in the sampler's messages; ``None`` if the sampler does not poll it."""
        return self._sampled.index(address) if address in self._sampled else None

    def end_sampling(self) -> tuple[list[Message], str | None]:
        """Return the sampler's messages, and the reason if it failed."""
        self._num_open -= 1
        early, problem = self._dead
        if self._stream is None or isinstance(self._stream, Failure):
            return early, problem or str(self._stream)
        self._num_marks += 1
        self._stream.send({"do": "mark", "number": self._num_marks, "settle_s": _SETTLE_S})
        failure = self._stream.await_message(["mark", self._num_marks], _SETTLE_S + _MARK_DEADLINE_S)
        messages = early + self._stream.messages()
        if failure is not None:
            # The sampler has died or hangs: the next window starts another one.
            self._stream.close()
            self._stream = None
            self._dead = (messages, str(failure))
        elif self._num_open == 0:
            self._stream.send({"do": "stop"})
        return messages, problem if failure is None else str(failure)


class GpuWindow:
    """The GPU meter of one window."""

    def __init__(self, session: GpuSession) -> None:
        self._session = session
        self._selection = Selection()
        self._starts: list[Edge] = []
        self._windows: dict[str, DeviceWindow] = {}
        self._is_prepared = False
        self._refusal: str | None = "the window was not opened"
        self.warnings: list[str] = []

    @property
    def devices(self) -> tuple[DeviceInfo, ...]:
        """The identities of the measured devices."""
        return tuple(device.info for device in self._selection.devices)

    @property
    def shared_devices(self) -> tuple[str, ...]:
        """UUIDs of the devices on which other processes computed, so that time and energy are not ours alone."""
        return tuple(uuid for uuid, window in self._windows.items() if window.sharing.status == "shared")

    def prepare(self) -> None:
        """Select the devices and start the sampler."""
        self._is_prepared = True
        selection = self._session.select()
        self._selection = Selection() if isinstance(selection, str) else selection
        refused = [refusal.reason for refusal in self._selection.refusals]
        self._refusal = selection if isinstance(selection, str) else "; ".join(refused)
        if self._refusal:
            self.warnings.append(f"GPU not measured: {self._refusal}")
        if self._selection.devices:
            self._session.open_sampler()

    def start(self) -> None:
        """Start sampling and read the first edge."""
        if not self._is_prepared:
            self.prepare()
        if not self._selection.devices:
            return
        self._session.begin_sampling(tuple(info.uuid for info in self.devices))
        self._starts = self._read_edges(at_end=False)

    def stop(self) -> dict[str, Reading]:
        """Read the last edge, receive the samples and return the readings."""
        if not self._selection.devices:
            return no_gpu_readings(self._refusal or "no GPU was requested")
        ends = self._read_edges(at_end=True)
        messages, failure = self._session.end_sampling()
        refused = [f"{refusal.label}: {refusal.reason}" for refusal in self._selection.refusals]
        readings: dict[str, dict[str, Reading]] = {}
        edges = list(zip(self._starts, ends, strict=True))
        sharing = judge_sharing(edges, own_pid=os.getpid(), uses_cuda=torch_cuda() is not None)
        for info, pair, shared in zip(self.devices, edges, sharing, strict=True):
            number = self._session.number(info.uuid)
            # The second entry of a message is the number of its device; marks have none.
            own_messages = [message for message in messages if message[0] != "mark" and message[1:2] == [number]]
            window = self._device_window(info, pair, own_messages, shared, failure)
            self._windows[info.uuid] = window
            readings[info.uuid], warnings = device_readings(window)
            self.warnings += [f"{info.uuid}: {warning}" for warning in warnings]
            if text := throttle_text(_throttle_mask(pair, own_messages)):
                self.warnings.append(f"{info.uuid}: the clocks were reduced: {text}")
        return total_readings(readings, self._windows, refused)

    def series(self) -> list[Series]:
        """Return power and memory of each device over time, seconds since the window's start."""
        series = []
        for uuid, window in self._windows.items():
            times = tuple(sample.time_s - window.start.time_s for sample in window.inner)
            watts = tuple(None if s.power_mw is None else s.power_mw / 1000 for s in window.inner)
            used = tuple(sample.used_bytes for sample in window.inner)
            if times:
                series.append(Series(metric="power_w", device=uuid, times_s=times, values=watts))
                series.append(Series(metric="device_used_bytes", device=uuid, times_s=times, values=used))
        return series

    def _read_edges(self, *, at_end: bool) -> list[Edge]:
        # If a call hangs, the drafts hold the figures before it.
        drafts = [EdgeDraft() for _ in self._selection.devices]
        nvml = self._session.nvml()

        def job() -> None:
            for draft, device in zip(drafts, self._selection.devices, strict=True):
                draft.read(nvml, device.handle, self._session.clock, at_end=at_end)

        self._session.call(job)
        now = self._session.clock()
        return [draft.finish(now, _HANGS) for draft in drafts]

    def _device_window(
        self,
        info: DeviceInfo,
        edges: tuple[Edge, Edge],
        own_messages: list[Message],
        sharing: Sharing,
        failure: str | None,
    ) -> DeviceWindow:
        samples = [
            Sample(time_s=m[2], power_mw=m[3], energy_mj=m[4], used_bytes=m[5])
            for m in own_messages
            if m[0] == "sample"
        ]
        errors = [m[3] for m in own_messages if m[0] == "error" and m[2] <= edges[1].time_s]
        return DeviceWindow(
            start=edges[0],
            end=edges[1],
            samples=tuple(samples),
            power_source=_power_source(own_messages, failure),
            interval_s=self._session.interval_s,
            mig=info.mig,
            power_limit_w=info.power_limit_w,
            sharing=sharing,
            problem="; ".join(dict.fromkeys(filter(None, (*errors, failure)))) or None,
        )


def _throttle_mask(edges: tuple[Edge, Edge], messages: list[Message]) -> int:
    """Return all reasons that reduced the clocks at an edge or in between."""
    mask = 0
    for edge in edges:
        mask |= edge.reasons if isinstance(edge.reasons, int) else 0
    for message in messages:
        if message[0] == "throttle" and edges[0].time_s <= message[2] <= edges[1].time_s:
            mask |= message[3]
    return mask


def _power_source(messages: list[Message], failure: str | None) -> PowerSource | Failure:
    for message in messages:
        if message[0] == "power":
            source: PowerSource | None = message[2]
            return source or Failure(call="power", message=message[3])
    return Failure(call="sampler", message=failure or "no sample")
