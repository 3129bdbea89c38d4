"""The kernel's counters about processors."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from fake_processors import FakeProcessors

from freezebench.meters.processors import NotCountedError, Processors, ThreadTimes, waits_problem


@pytest.fixture
def fake(tmp_path: Path) -> FakeProcessors:
    """Return a Linux with counters of its own."""
    return FakeProcessors(tmp_path)


def test_threads_have_their_times_in_seconds(fake: FakeProcessors) -> None:
    """The kernel counts in nanoseconds; its third field is no time."""
    fake.set_threads({7: (1.5, 0.25), 9: (0.0, 0.0)})
    assert fake.processors.threads() == {
        7: ThreadTimes(run_s=1.5, wait_s=0.25),
        9: ThreadTimes(run_s=0.0, wait_s=0.0),
    }


def test_a_thread_that_ends_while_it_is_read_is_left_out(fake: FakeProcessors, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its folder vanishes between listing and reading."""
    fake.set_threads({7: (1.0, 0.0), 9: (2.0, 0.0)})
    read_text = Path.read_text

    def reads(path: Path) -> str:
        if path.parent.name == "9":
            shutil.rmtree(path.parent, ignore_errors=True)
        return read_text(path)

    monkeypatch.setattr(Path, "read_text", reads)
    assert list(fake.processors.threads()) == [7]


@pytest.mark.parametrize(("content", "reason"), [(None, "no schedstat"), ("1 2", "unpack"), ("a b c", "invalid")])
def test_a_kernel_without_waiting_times_has_a_reason(fake: FakeProcessors, content: str | None, reason: str) -> None:
    """No file and a strange file are no zeros."""
    fake.set_threads({7: (1.0, 0.0)})
    file = fake.task / "7" / "schedstat"
    file.unlink()
    if content is not None:
        file.write_text(content)
    with pytest.raises(NotCountedError, match=reason):
        fake.processors.threads()


def test_a_system_without_proc_has_a_reason_for_everything(tmp_path: Path) -> None:
    """Every counter names what is missing."""
    nothing = Processors(tmp_path)
    for read in (nothing.threads, nothing.ticks, nothing.pressure, nothing.throttled):
        with pytest.raises(NotCountedError, match=r"no |not count"):
            read()


def test_ticks_are_those_of_the_allowed_processors(fake: FakeProcessors) -> None:
    """The third processor, which the process may not use, has a thousand seconds more."""
    fake.set_ticks(busy_s=3.0, stolen_s=0.5)
    ticks = fake.processors.ticks()
    assert (ticks.busy / ticks.per_s, ticks.stolen / ticks.per_s) == (6.0, 1.0)


def test_no_allowed_processor_is_no_zero(fake: FakeProcessors) -> None:
    """A list of other processors says nothing about this process."""
    with pytest.raises(NotCountedError, match="none of this process's processors"):
        Processors(fake.root, cpus=frozenset({5})).ticks()


def test_pressure_is_that_of_the_group_or_else_of_the_machine(fake: FakeProcessors) -> None:
    """The group's own figure leaves the waits of other groups out."""
    fake.write("proc/pressure/cpu", "some avg10=1.00 avg60=1.00 avg300=1.00 total=4000000\nfull avg10=0 total=0\n")
    whole = fake.processors.pressure()
    assert (whole.seconds, whole.source) == (4.0, str(fake.root / "proc/pressure/cpu"))
    fake.write("sys/fs/cgroup/unit/cpu.pressure", "some avg10=0.00 avg60=0.00 avg300=0.00 total=1500000\n")
    own = fake.processors.pressure()
    assert (own.seconds, own.source) == (1.5, str(fake.root / "sys/fs/cgroup/unit/cpu.pressure"))


def test_throttling_of_nested_groups_adds_up(fake: FakeProcessors) -> None:
    """A quota of the parent stops the process as one of its own group does."""
    fake.set_group("/pod/unit")
    fake.write("sys/fs/cgroup/pod/unit/cpu.stat", "usage_usec 9\nnr_throttled 2\nthrottled_usec 2000000\n")
    fake.write("sys/fs/cgroup/pod/cpu.stat", "throttled_usec 500000\n")
    fake.write("sys/fs/cgroup/cpu.stat", "usage_usec 12\n")
    throttled = fake.processors.throttled()
    assert throttled.seconds == 2.5
    assert throttled.source == str(fake.root / "sys/fs/cgroup/pod/unit/cpu.stat")


def test_throttling_of_version_1_counts_in_nanoseconds(fake: FakeProcessors) -> None:
    """The group's folder is below that of its controller."""
    fake.write("sys/fs/cgroup/cpu/unit/cpu.stat", "nr_periods 1\nthrottled_time 3000000000\n")
    assert fake.processors.throttled().seconds == 3.0


def test_a_group_that_the_container_does_not_show_is_its_root(fake: FakeProcessors) -> None:
    """Some containers name the group as the host does, but mount it as their root."""
    fake.set_group("/docker/123")
    fake.write("sys/fs/cgroup/cpu.stat", "throttled_usec 1000000\n")
    assert fake.processors.throttled().seconds == 1.0


@pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="needs Linux with schedstat")
def test_this_thread_is_counted() -> None:
    """On a real Linux the times of the calling thread grow with its work."""
    own = threading.get_native_id()
    before = Processors().threads()[own].run_s
    sum(range(3_000_000))
    assert Processors().threads()[own].run_s > before


@pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="needs Linux with schedstat")
def test_two_threads_on_one_processor_wait() -> None:
    """The probe finds that this kernel counts waits, and leaves the calling thread on all its processors."""
    before = os.sched_getaffinity(0)
    waits_problem.cache_clear()
    assert waits_problem() is None
    assert os.sched_getaffinity(0) == before


@pytest.mark.parametrize(
    ("patch", "reason"),
    [
        ("del os.sched_setaffinity", "this system does not count"),
        ("processors._waits_s = lambda: None", "no schedstat"),
        ("processors._waits_s = lambda: 0.0", "two on one processor did not wait"),
        ("os.sched_setaffinity = lambda *_: os.open('/missing', 0)", "this process may not choose its processor"),
    ],
)
def test_a_zero_is_not_trusted(patch: str, reason: str) -> None:
    """A kernel that counts nothing is found out, whether it has no file or shows zeros."""
    code = f"import os; from freezebench.meters import processors; {patch}; print(processors.waits_problem())"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert reason in done.stdout
