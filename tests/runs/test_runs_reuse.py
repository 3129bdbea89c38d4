"""Reuse of finished runs by sessions with one store: lookups never wait, and each key has one claim."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

import made_up
from experiments import judged
from freezebench.records.run_record import RunRecord
from freezebench.records.store import Store
from freezebench.runs.data_cache import DataCache
from freezebench.runs.environment import Machine
from freezebench.runs.reuse import Found, Reuse

RECORD = made_up.record("emb")
CPU = Machine(device="cpu", device_name="a CPU", precision="float32", environment=RECORD.environment)
NONE, EMB, DEEPER = (made_up.record(freeze).spec for freeze in ("none", "emb", "emb+L0"))


Sessions = Callable[..., Reuse]


@pytest.fixture
def session(tmp_path: Path) -> Sessions:
    """Return a function that begins a session with the store of all others."""

    def begin(**options: Any) -> Reuse:
        return Reuse(tmp_path / "runs", cast("DataCache", made_up.Inputs()), **{"resume": True, **options})

    return begin


def test_what_another_session_trains_is_busy_until_it_ends(session: Sessions) -> None:
    """The second session is told at once, and finds the record once the first one has saved it."""
    first, second = session(), session()
    assert first.find([EMB], CPU) == first.find([EMB], CPU)  # its own claim is none of another session
    assert second.find([EMB], CPU).busy == [EMB]
    first.save(RECORD)
    assert second.find([EMB], CPU).records == {EMB.run_id: RECORD}
    assert second.lines() == [line for line in second.lines() if line.startswith("reused 1 run of earlier sessions")]


def test_a_run_that_was_given_up_is_free(session: Sessions) -> None:
    """After a release, and after the end of the session that claimed it."""
    first, second, third = session(), session(), session()
    first.find([EMB, NONE], CPU)
    first.release(EMB)
    assert not second.find([EMB], CPU).busy
    assert second.find([NONE], CPU).busy
    first.release_all()
    assert third.find([EMB, NONE], CPU).busy == [EMB]


def test_the_runs_of_a_block_are_claimed_together_or_not_at_all(session: Sessions) -> None:
    """While one of three is busy, the others stay free for anyone."""
    first, second, third = session(), session(), session()
    first.find([EMB], CPU)
    assert second.find([NONE, EMB, DEEPER], CPU).busy == [EMB]
    assert not third.find([NONE, DEEPER], CPU).busy
    assert second.find([NONE, EMB, DEEPER], CPU).busy == [NONE, EMB, DEEPER]


def test_what_is_found_beside_a_busy_run_is_reused_later(session: Sessions) -> None:
    """A block is looked up as a whole: nothing of it is given, counted or reported before."""
    first = session()
    reused: list[RunRecord] = []
    second = session(on_reused=reused.append)
    first.find([NONE], CPU)
    session().save(RECORD)
    assert second.find([NONE, EMB], CPU) == Found(busy=[NONE])
    assert (reused, second.lines()) == ([], [])
    first.release(NONE)
    assert second.find([NONE, EMB], CPU).records == {EMB.run_id: RECORD}
    assert reused == [RECORD]


def test_two_slots_of_a_session_have_one_claim_for_one_key(session: Sessions) -> None:
    """Two specs that differ in how they name the device are one run; on another device model it is another one."""
    one = session()
    assert not one.find([EMB], CPU).busy
    named = replace(EMB, device="cpu")
    assert one.find([named], CPU).busy == [named]
    assert not one.find([named], replace(CPU, device_name="another CPU")).busy


def test_a_reused_run_is_reported_once(session: Sessions) -> None:
    """Also if it is looked up again; looks that claim nothing are not counted."""
    session().save(RECORD)
    reused: list[RunRecord] = []
    one = session(on_reused=reused.append)
    assert one.find_finished(EMB, CPU) == RECORD
    assert one.lines() == []
    for _ in range(2):
        assert one.find([EMB], CPU).records == {EMB.run_id: RECORD}
    assert reused == [RECORD]
    assert not session().find([EMB], replace(CPU, device_name="another CPU")).busy  # it was not claimed


def test_the_device_of_a_slot_decides(session: Sessions) -> None:
    """What another device trained is found without its times, and the summary says so."""
    session().save(RECORD)
    one = session()
    (record,) = one.find([EMB], replace(CPU, device_name="another CPU")).records.values()
    assert record.value("train_s") is None
    assert "their times included but for 1 of another device or beside other runs; " in one.lines()[0]


def test_runs_without_times_are_counted(session: Sessions) -> None:
    """They trained beside others on this processor; those with times are not counted as such."""
    session().save(RECORD.without_times("beside another run"))
    session().save(made_up.record("none"))
    one = session()
    assert len(one.find([EMB, NONE], CPU).records) == 2
    assert "reused 2 runs" in one.lines()[0]
    assert "their times included but for 1 of another device or beside other runs; " in one.lines()[0]


@pytest.mark.parametrize("options", [{"resume": False}, {"machine": None}], ids=str)
def test_nothing_is_looked_up_or_claimed(session: Sessions, options: dict[str, Any]) -> None:
    """With --freeze-resume=no, and where the run has no device."""
    session().save(RECORD)
    one = session(resume=options.get("resume", True))
    found = one.find([EMB, NONE], options.get("machine", CPU))
    assert (found.records, found.busy) == ({}, [])
    assert not session().find([NONE], CPU).busy


def test_threads_of_slots_save_while_the_session_looks_runs_up(session: Sessions) -> None:
    """Every run that ends is saved, and no claim is left."""
    one, other = session(), session()
    records = [made_up.record("emb", seed) for seed in range(40)]

    def save(some: list[RunRecord]) -> None:
        for record in some:
            one.save(record)

    threads = [threading.Thread(target=save, args=(records[begin::2],)) for begin in (0, 1)]
    for record in records:
        assert not one.find([record.spec], CPU).busy
    for thread in threads:
        thread.start()
    found = [other.find([record.spec], CPU) for record in records]
    for thread in threads:
        thread.join()
    assert all(look.busy or look.records for look in found)
    assert one.lines()[-1].startswith("saved 40 runs")
    assert len(other.find([record.spec for record in records], CPU).records) == 40


def test_where_no_lock_can_be_made_runs_are_trained(session: Sessions, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two sessions may then train the same."""

    class _NoLock:
        def try_acquire(self) -> bool:
            raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Store, "claim", lambda *_: _NoLock())
    for _ in range(2):
        assert not session().find([EMB], CPU).busy


def test_a_run_of_another_slot_has_its_costs(session: Sessions) -> None:
    """Where a session trains on two models of devices, either may have trained the run in an earlier session."""
    session().save(RECORD)
    other = replace(CPU, device_name="another CPU")
    assert session().find([EMB], other, CPU).records == {EMB.run_id: RECORD}
    assert session().find_finished(EMB, other, CPU) == RECORD
    assert session().find([EMB], None, CPU) == Found()


def test_other_rates_are_looked_up_for_a_remedy_alone(session: Sessions) -> None:
    """A result that is not invalid and has not lost too much needs none; neither does one that trains all anew."""
    other = replace(RECORD, spec=replace(RECORD.spec, protocol=replace(RECORD.spec.protocol, learning_rate=1e-3)))
    session().save(other)
    lost, kept = judged("emb", 0.7), judged("emb", 0.9)
    found = session().at_other_rates(lost)
    assert [run.spec for run in found] == [other.spec]
    assert session().at_other_rates(replace(lost, tried=found)) == ()
    assert session().at_other_rates(kept) == ()
    assert session(resume=False).at_other_rates(judged("emb", 0.7)) == ()
