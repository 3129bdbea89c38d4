"""Inputs for fuzzing: sound ones, changed at random. The number of an input gives the same input again."""

from __future__ import annotations

import copy
import json
import random
import resource
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

# Far more than any input of some hundred bytes may take: what is unbounded takes more, sooner or later.
MAX_CPU_S = 3.0
MAX_MEMORY_BYTES = 256 * 2**20

# Parts of valid values and of hostile ones.
SPEC_BITS = [
    *("emb", "L0", "L3", "L9999", "L0-9999", "-", "+", ",", ":", "head", "none", "all", "5e-5", "0", "-1", " "),
    *("bitfit", "norms", "lora", "(", ")", "()", "(r=4)", "=", "r"),
]
NUMBER_BITS = [
    "nan",
    "inf",
    "1e999",
    "1e-5",
    "10",
    "3,5,8",
    "9" * 30,
    "9" * 400,
    "0.5",
    ".",
    "_",
    "%",
    "\u0663",
    "\u00b2",
    "e",
]
WORD_BITS = [
    "yes",
    "no",
    "90s",
    "2h",
    "GiB",
    "MiB",
    "cuda",
    "cpu",
    "skip",
    "pass",
    "model",
    "data",
    "lr",
    "eval",
    "worker",
]
TEXT_BITS = ["\0", "\n", "\x1b", "\u00e9", "\ud800", "\u202e", "~", "/", "..", "{", "}", "'", '"', "\\", "a" * 300]
BITS = SPEC_BITS + NUMBER_BITS + WORD_BITS + TEXT_BITS

_VALUES: list[Any] = [
    None,
    True,
    False,
    0,
    1,
    -1,
    2,
    42,
    10**9,
    2**31,
    2**63,
    -(2**63),
    10**30,
    10**400,
    0.5,
    -0.0,
    1e308,
    1e-320,
    float("nan"),
    float("inf"),
    "",
    "x",
    "none",
    "emb",
    "L0-3",
    "completed",
    "\ud800",
    "\0\n",
    "a" * 1000,
    [],
    {},
    [[]],
    [None],
    [0],
    ["x"],
    {"": None},
    {"x": {}},
    [10**400],
    [float("inf")],
]
_BYTES = [
    b"",
    b"\0",
    b"\xff",
    b"\xfe\xff",
    b"\xef\xbb\xbf",
    b"\n",
    b"\r",
    b"\r\n",
    b"\t",
    b",",
    b";",
    b'"',
    b'""',
    b"[",
    b"]",
    b"{",
    b"}",
    b":",
    b"\\",
    b"\\u0000",
    b"\\ud800",
    b"NaN",
    b"-Infinity",
    b"1e999",
    b"9" * 400,
    b"null",
    b"true",
    b"-1",
    b"\x7f\xff\xff\xff",
    b"\xff\xff\xff\xff",
    b"\x00\x00\x00\x80",
    b"\xe2\x80\x8b",
    b"[" * 300,
    b'{"a":' * 300,
    b"a" * 2000,
]


def drawer(name: str, number: int) -> random.Random:
    """Return the source of chance of one input."""
    return random.Random(f"{name} {number}")  # noqa: S311 - no secret


def words(draw: random.Random, bits: Sequence[str] = BITS) -> str:
    """Return parts of valid and of hostile values, in any order."""
    return "".join(draw.choice(bits) for _ in range(draw.randint(0, 8)))


def value(draw: random.Random, depth: int = 0) -> Any:
    """Return a JSON value of any type."""
    chance = draw.random()
    if depth < 3 and chance < 0.1:
        return [value(draw, depth + 1) for _ in range(draw.randint(0, 3))]
    if depth < 3 and chance < 0.2:
        return {words(draw): value(draw, depth + 1) for _ in range(draw.randint(0, 3))}
    if chance < 0.25:
        deep: Any = 0
        for _ in range(draw.choice([10, 200])):
            deep = [deep] if draw.random() < 0.5 else {"a": deep}
        return deep
    return copy.deepcopy(draw.choice(_VALUES))


def changed_json(draw: random.Random, text: str) -> Any:
    """Return the value of a JSON text with one to three entries replaced, removed, repeated or added."""
    result = json.loads(text)
    for _ in range(draw.randint(1, 3)):
        parent: Any = None
        key: Any = None
        place = result
        while isinstance(place, dict | list) and place and (parent is None or draw.random() < 0.75):
            parent, key = place, draw.choice(list(place) if isinstance(place, dict) else range(len(place)))
            place = parent[key]
        if parent is None:
            return value(draw)
        match draw.randrange(5):
            case 0:
                del parent[key]
            case 1 if isinstance(parent, list):
                parent.insert(key, place)
            case 1:
                parent[words(draw)] = place
            case _:
                parent[key] = value(draw)
    return result


def changed_bytes(draw: random.Random, sound: Sequence[bytes]) -> bytes:
    """Return one of some contents with bytes replaced, removed, repeated or added, or with parts of another one."""
    content = bytearray(draw.choice(sound))
    for _ in range(draw.randint(0, 5)):
        start = draw.randint(0, len(content))
        end = min(len(content), start + draw.choice([0, 1, 1, 4, 16, 200]))
        match draw.randrange(6):
            case 0:
                content[start:end] = draw.choice(_BYTES)
            case 1:
                content[start:end] = draw.randbytes(end - start)
            case 2:
                content[start:start] = content[start:end] * draw.randint(1, 20)
            case 3:
                other = draw.choice(sound)
                at = draw.randint(0, len(other))
                content[start:end] = other[at : at + 40]
            case 4 if start < len(content):
                content[start] ^= 1 << draw.randrange(8)
            case _:
                del content[start : start + draw.choice([1, 4, len(content)])]
    return bytes(content)


def peak_bytes() -> int:
    """Return the largest memory that this process has had so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@contextmanager
def bounded(label: str) -> Iterator[None]:
    """Make sure that a block takes little time of the processor and little memory.

    Args:
        label: The input, for the message.
    """
    before_bytes, started = peak_bytes(), time.process_time()
    yield
    seconds, grown = time.process_time() - started, peak_bytes() - before_bytes
    assert seconds < MAX_CPU_S, f"{label} took {seconds:.1f} s"
    assert grown < MAX_MEMORY_BYTES, f"{label} took {grown // 2**20} MiB"
