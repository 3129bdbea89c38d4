"""CPU energy from RAPL, read from the powercap files of Linux.

The counters wrap at ``max_energy_range_uj``: after some minutes at full load. So they are polled about once a second.
"""

from __future__ import annotations

import re
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from freezebench.records.reading import Reading

if TYPE_CHECKING:
    from collections.abc import Callable

POWERCAP = Path("/sys/class/powercap")

_SOURCES = {"cpu_energy_j": "RAPL package zones (powercap)", "dram_energy_j": "RAPL dram zones (powercap)"}
_PACKAGE = re.compile(r"package-\d+(-die-\d+)?")
# AMD's zones have the same names. The zones of intel-rapl-mmio count the same energy a second time.
_TOP_LEVEL = re.compile(r"intel-rapl:\d+")
_CHILD = re.compile(r"intel-rapl:\d+:\d+")
_UPDATE_S = 0.001  # energy status is updated about every millisecond (Intel SDM vol. 3B, RAPL interfaces)
_SHORTEST_S = 0.02
_MAX_POWER_W = 2000.0  # no package or memory channel draws more; after a longer gap the counter may have wrapped twice

_UNREADABLE = (
    "readable by root alone since CVE-2020-8694: run 'sudo chmod a+r /sys/class/powercap/*/energy_uj' (until the next "
    "boot), or install a udev rule that does"
)


@dataclass(kw_only=True)
class _Zone:
    """One RAPL zone and its energy in this window."""

    name: str
    path: Path
    range_uj: int = 0
    last_uj: int = 0
    last_s: float = 0.0
    energy_uj: int = 0
    covered_s: float = 0.0
    max_power_w: float = 0.0
    max_gap_s: float = 0.0
    num_samples: int = 0
    unreadable: str | None = None
    hidden: str | None = None

    @property
    def problems(self) -> list[str]:
        """The reasons why this zone's figure does not cover the whole window."""
        return [problem for problem in (self.unreadable, self.hidden) if problem]

    def read(self, file: str) -> int | None:
        """Return the number in ``file``; ``None`` if it is unreadable, which ``unreadable`` then explains."""
        self.unreadable = None
        try:
            return int((self.path / file).read_text())
        except (OSError, ValueError) as error:
            why = _UNREADABLE if isinstance(error, PermissionError) else str(error)
            self.unreadable = f"{self.name} ({self.path / file}) is not readable: {why}"
            return None

    def begin(self, now: float) -> None:
        """Take the first sample."""
        if (span := self.read("max_energy_range_uj")) is None:
            return
        if (energy := self.read("energy_uj")) is not None:
            self.last_uj, self.range_uj, self.last_s, self.num_samples = energy, span, now, 1

    def advance(self, now: float) -> None:
        """Take another sample and add the energy since the last one."""
        if not self.num_samples or (energy := self.read("energy_uj")) is None:
            return
        gap_s = now - self.last_s
        delta = energy - self.last_uj
        # A counter that has become smaller has wrapped once. Two wraps would go unnoticed, hence the check of the gap.
        if delta < 0:
            delta += self.range_uj
        if gap_s * _MAX_POWER_W * 1e6 > self.range_uj:
            self.hidden = f"{self.name} was not read for {gap_s:.0f} s, in which its counter may have wrapped unnoticed"
        else:
            self.energy_uj += delta
            self.covered_s += gap_s
            self.max_power_w = max(self.max_power_w, delta / 1e6 / gap_s if gap_s > 0 else 0.0)
        self.last_uj, self.last_s, self.max_gap_s = energy, now, max(self.max_gap_s, gap_s)
        self.num_samples += 1


class RaplMeter:
    """Energy of the CPU packages (``cpu_energy_j``) and of the memory (``dram_energy_j``) over one window, in joules.

    Only the top-level ``package-N`` zones are summed: psys and the mmio provider count the same energy a second time.
    The dram zones are children of their packages and are reported separately. The energy is that of the whole package,
    whichever process used it.
    """

    def __init__(self, *, root: Path = POWERCAP, clock: Callable[[], float] = time.monotonic) -> None:
        self._root = root
        self._clock = clock
        self._zones: dict[str, list[_Zone]] = {}
        self._start_s = 0.0
        self._power: list[tuple[float, float]] = []
        self._lock = threading.Lock()

    def start(self) -> None:
        """Find the zones and take their first sample."""
        self._zones = find_zones(self._root)
        self._start_s = self._clock()
        for zone in self._all_zones():
            zone.begin(self._start_s)

    def poll(self) -> None:
        """Take one sample of every zone; to be called about once a second, so that no wrap is missed."""
        with self._lock:
            now = self._clock()
            counted = [zone for zone in self._zones.get("package", []) if zone.num_samples]
            before_uj, before_s = sum(zone.energy_uj for zone in counted), [zone.last_s for zone in counted]
            for zone in self._all_zones():
                zone.advance(now)
            if counted and now > max(before_s):
                energy_uj = sum(zone.energy_uj for zone in counted) - before_uj
                self._power.append((now, energy_uj / 1e6 / (now - max(before_s))))

    def power(self) -> list[tuple[float, float]]:
        """Return the time of each sample and the packages' mean power in watts since the sample before it."""
        return list(self._power)

    def stop(self) -> dict[str, Reading]:
        """Return ``cpu_energy_j`` and ``dram_energy_j``."""
        self.poll()
        duration_s = self._clock() - self._start_s
        return {
            "cpu_energy_j": self._reading("cpu_energy_j", self._zones.get("package", []), duration_s),
            "dram_energy_j": self._reading("dram_energy_j", self._zones.get("dram", []), duration_s),
        }

    def problems(self) -> dict[str, str | None]:
        """Return for each metric the reason why it is not, or only partly, measured; ``None`` if it is."""
        problems = {}
        for name, kind in (("cpu_energy_j", "package"), ("dram_energy_j", "dram")):
            zones = self._zones.get(kind, [])
            reasons = [problem for zone in zones for problem in zone.problems]
            problems[name] = "; ".join(reasons) or (None if zones else self._no_zone(name))
        return problems

    def _all_zones(self) -> list[_Zone]:
        return [zone for zones in self._zones.values() for zone in zones]

    def _reading(self, name: str, zones: list[_Zone], duration_s: float) -> Reading:
        source = _SOURCES[name]
        if not zones:
            return Reading.not_measured("J", source, self._no_zone(name))
        counted = [zone for zone in zones if zone.num_samples > 1 and zone.covered_s > 0]
        problems = list(dict.fromkeys(problem for zone in zones for problem in zone.problems))
        if not counted:
            return Reading.not_measured("J", source, "; ".join(problems) or "too_short: no time passed")
        if duration_s < _SHORTEST_S:
            return Reading.not_measured("J", source, f"too_short: {duration_s:.3f} s is under {_SHORTEST_S} s")
        coverage = min(1.0, sum(zone.covered_s for zone in counted) / (duration_s * len(zones)))
        return Reading(
            value=sum(zone.energy_uj for zone in counted) / 1e6,
            unit="J",
            source=f"{source}: {', '.join(zone.name for zone in counted)}",
            status="partial" if problems else "measured",
            reason="; ".join(problems) or None,
            # At each edge a zone's counter may lag by up to one update.
            uncertainty=sum(zone.max_power_w for zone in counted) * _UPDATE_S,
            num_samples=min(zone.num_samples for zone in counted),
            max_gap_s=max(zone.max_gap_s for zone in counted),
            coverage=coverage,
        )

    def _no_zone(self, name: str) -> str:
        if not self._root.is_dir():
            return f"no {self._root}: this kernel, virtual machine or container does not offer RAPL"
        if name == "dram_energy_j" and self._zones.get("package"):
            return "this CPU has no dram zone"
        return f"no RAPL zone under {self._root}: load intel_rapl_msr, or measure outside the virtual machine"


def find_zones(root: Path) -> dict[str, list[_Zone]]:
    """Return the zones by kind, ``package`` and ``dram``, without those that count the same energy a second time."""
    zones: dict[str, list[_Zone]] = {"package": [], "dram": []}
    try:
        folders = sorted(root.iterdir())
    except OSError:
        return zones
    for folder in folders:
        top_level, child = _TOP_LEVEL.fullmatch(folder.name), _CHILD.fullmatch(folder.name)
        if not (top_level or child):
            continue
        try:
            name = (folder / "name").read_text().strip()
        except OSError:
            continue
        if top_level and _PACKAGE.fullmatch(name):
            zones["package"].append(_Zone(name=name, path=folder))
        elif child and name == "dram":
            zones["dram"].append(_Zone(name=f"dram of {folder.name.rpartition(':')[0]}", path=folder))
    return zones
