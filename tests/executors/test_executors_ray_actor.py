"""The actor of a slot, in this process: Ray is not needed to answer requests."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from freezebench import child_process
from freezebench.executors.ray.actor import SlotActor

SETUP = {"environment": {}, "folder": "/", "session": "s1", "num_on_node": 1}
WORKER = """
import json, os, socket, sys, time
channel = socket.socket(fileno=int(sys.argv[1]))
lines, events = channel.makefile("r"), channel.makefile("w")
def send(event, **fields):
    print(json.dumps({{"event": event, **fields}}), file=events, flush=True)
next(lines)
send("Ready")
for line in lines:
    message = json.loads(line)
    request = message["request"]
    {behaviour}
    send("Answer", value={{"pid": os.getpid(), "message": message, "threads": os.environ.get("OMP_NUM_THREADS")}})
"""
Make = Callable[..., SlotActor]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """Yield a function that makes actors whose workers behave in some way."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(os, "environ", os.environ.copy())  # an actor sets variables of its own process
    monkeypatch.chdir(tmp_path)
    actors: list[SlotActor] = []

    def make_actor(behaviour: str = "pass", **setup: Any) -> SlotActor:
        code = WORKER.format(behaviour=behaviour)
        command = lambda _module, _parent, descriptor: [sys.executable, "-c", code, descriptor]  # noqa: E731
        monkeypatch.setattr(child_process, "command", command)
        actors.append(SlotActor(json.dumps({**SETUP, "folder": str(tmp_path), **setup})))
        return actors[-1]

    yield make_actor
    for actor in actors:
        actor.close()
    assert not list(tmp_path.glob("freezebench-session-*"))


def ask(actor: SlotActor, worker: int = 1, **request: Any) -> list[Any]:
    """Return what an actor yields for a request."""
    message = {"request": {"kind": "run", **request}, "path": ["/project"], "data_cache": {}}
    line = json.dumps({"do": "request", "call": 7, "worker": worker, "message": message, "timeout_s": 30.0})
    return list(actor.request(line))


def value(items: list[Any]) -> dict[str, Any]:
    """Return the value of an answer."""
    result: dict[str, Any] = json.loads(items[-1])["value"]
    return result


def test_a_worker_is_kept_until_another_one_is_requested(make: Make) -> None:
    """As the session decides; its number tells."""
    actor = make()
    first, second, third = (value(ask(actor, number))["pid"] for number in (1, 1, 2))
    assert first == second != third
    assert not Path(f"/proc/{first}").exists()


def test_events_come_before_the_answer(make: Make) -> None:
    """As lines that the session decodes."""
    items = ask(make("send('TrainingPaused', epoch=1)"))
    assert [json.loads(item)["event"] for item in items] == ["TrainingPaused", "Answer"]


def test_a_dead_worker_is_a_fault_and_not_a_lost_actor(make: Make) -> None:
    """Its run is invalid, with the cause; the next request gets a new worker."""
    actor = make("if request.get('dies'): print('the last words', flush=True); os._exit(3)")
    fault = json.loads(ask(actor, dies=True)[-1])
    assert (fault["kind"], fault["call"], fault["cause"]) == ("fault", 7, "crash")
    assert fault["reason"].startswith("its process ended by itself with exit code 3")
    assert fault["log"] == "the last words"
    assert value(ask(actor))["pid"]


def test_a_process_that_cannot_start_is_an_error(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to do; the actor lives."""
    actor = make()
    monkeypatch.setattr(child_process, "command", lambda *_: ["/no/such/python"])
    assert "no process to train in can be started" in json.loads(ask(actor)[-1])["error"]


def test_a_worker_can_be_killed_while_it_works(make: Make) -> None:
    """By its number alone: the kill of an earlier one that comes late ends nothing."""
    actor = make("open('began', 'w').close(); time.sleep(30)")
    items: list[Any] = []
    thread = threading.Thread(target=lambda: items.extend(ask(actor, 2)))
    thread.start()
    while not Path("began").exists():
        thread.join(0.05)
    actor.kill(1)
    thread.join(0.3)
    assert thread.is_alive()
    actor.kill(2)
    thread.join(10)
    assert json.loads(items[-1])["reason"].startswith("its process was ended by SIGKILL")


def test_a_worker_finds_the_project_and_its_own_installation(make: Make, tmp_path: Path) -> None:
    """Not the installation of the session's machine, and prefixes in a folder of the node."""
    message = value(ask(make()))["message"]
    assert message["path"][0] == "/project"
    assert set(message["path"][1:]) <= set(sys.path)
    assert message["data_cache"]["prefix_folder"] == str(tmp_path / "freezebench-session-s1" / "prefixes")


def test_the_threads_of_a_node_are_shared_by_its_slots(make: Make) -> None:
    """Ray's value, 1, is not used; what the session sets holds everywhere."""
    os.environ["OMP_NUM_THREADS"] = "1"
    assert value(ask(make()))["threads"] is None
    several = value(ask(make(num_on_node=2)))["threads"]
    assert several == str(max(1, len(os.sched_getaffinity(0)) // 2))
    assert value(ask(make(num_on_node=2, environment={"OMP_NUM_THREADS": "5"})))["threads"] == "5"


def test_a_saved_model_is_sent_in_parts(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is written to a folder of the node, since the session's folder may not exist there."""
    monkeypatch.setattr("freezebench.executors.ray.actor._CHUNK_BYTES", 4)
    save = "os.mkdir(request['save_to'] + '/sub'); open(request['save_to'] + '/sub/weights', 'w').write('abcdef')"
    items = ask(make(save), save_to="/no/such/folder/here")
    assert items[:-1] == [("sub/weights", b"abcd"), ("sub/weights", b"ef")]
    assert value(items)["message"]["request"]["save_to"].startswith(str(tmp_path))
    assert not Path(value(items)["message"]["request"]["save_to"]).exists()
