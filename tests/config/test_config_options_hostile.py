"""Hostile values of every option of the table: each is accepted or refused in one sentence, at once."""

from __future__ import annotations

import time

import pytest

from freezebench.config.option import Option
from freezebench.config.options import BY_NAME, OPTIONS
from freezebench.config.parsers import int_parser, parse_duration, parse_size
from freezebench.config.settings import resolve
from freezebench.config.sources import Source
from freezebench.errors import FreezebenchError, SettingsError, SpecError
from freezebench.specs.interim_looks import MAX_LOOKS, MAX_SEEDS

# Each ends in at most this much time of a processor, on a slow machine, too; without a bound one takes minutes.
MAX_S = 10.0

NUMBERS = [
    "9" * 400,
    "-" + "9" * 400,
    "9" * 5000,
    "9" * 100_000,
    "500000000",
    "9" * 15,
    "9" * 16,
    "-1",
    "-0",
    "+1",
    "0",
    "00000000000000000000000000000001",
    "1e400",
    "-1e400",
    "1e-400",
    "1" + "0" * 300 + "e-300",
    "nan",
    "NaN",
    "inf",
    "-Infinity",
    "1_000",
    "1,000",
    "0x10",
    "1.",
    ".5",
    ".",
    "e5",
    "\u0663",
    "\uff13",
    "²",
    "Ⅻ",
    "1 000",
    "1\n",
    "\x001",
    "--1",
    "True",
]
UNITS = [
    f"{number}{unit}"
    for number in (
        "9" * 400,
        "9" * 5000,
        "1e400",
        "nan",
        "inf",
        "-1",
        "\u0663",
        "1_0",
        "0",
        ".",
        "1.2.3",
        "99999999999999",
    )
    for unit in ("MiB", "TiB", "B", "s", "h", "min", "ms", "PiB", "\u212aiB")
]
GRIDS = [
    "L0-999999999",
    "L999999999",
    "L" + "9" * 5000,
    "L0-" + "9" * 5000,
    "L0-9999",
    "+".join(["L0-9999"] * 500),
    ",".join(f"L{number}-9999" for number in range(480)),
    ",".join(["emb"] * 10**6),
    ",".join(f"L{number % 10}" for number in range(1600)),
    "+" * 10**6,
    "," * 4999,
    "+" * 4999,
    "L\u0663",
    "L1_0",
    "emb:" + "9" * 400,
    "emb:1e400",
    "emb:nan",
    ",".join(f"L{number}:1" for number in range(600)),
    ":" * 4999,
    "3," * 2000 + "5",
    ",".join(map(str, range(1, 1001))),
    "1,2,3,4,5,6,7,8,9,10,11",
]
TEXTS = [
    "",
    " ",
    "\0",
    "a\0b",
    "a\nb",
    "a\r\n::error::b",
    "\x1b[31m",
    "\u202e",
    "\ud800",
    "a" * 300,
    "a" * 5000,
    "a" * 10**6,
    "é" * 5000,
    "~nouser/x",
    "~",
    "/" * 4000,
    "../" * 1500,
    "a/" * 2400,
    "/dev/zero",
    "/proc/self/mem",
    "{}",
    "{flag}{0}%s%(x)s$HOME`id`",
    "[" * 4999,
    "cuda:\u0663",
    "cuda:" + "9" * 400,
    "(a+)+$" * 100,
]


class WithoutText:
    """A value of a marker that Python cannot write as text."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


MARKERS: list[object] = [
    10**400,
    10**5000,
    -(10**5000),
    float("nan"),
    float("inf"),
    1e308,
    5e-324,
    True,
    b"bytes",
    [],
    {},
    (),
    {"emb": 10**5000},
    {"emb": None},
    {10**5000: 1},
    {"emb": {"emb": 1}},
    [[["emb"]]],
    [10**5000],
    list(range(100_000)),
    {f"L{number}": 1 for number in range(100_000)},
    object(),
    type,
    b"emb",
    {"emb"},
    WithoutText(),
    {"emb": WithoutText()},
]
HOSTILE: list[object] = [*NUMBERS, *UNITS, *GRIDS, *TEXTS, *MARKERS]


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_every_hostile_value_ends_at_once(option: Option) -> None:
    """A new option is covered as soon as it is in the table."""
    for value in HOSTILE:
        started = time.process_time()
        try:
            option.parse(value, option.flag)
        except SettingsError as error:
            message = str(error)
            assert message.startswith(option.flag)
            assert len(message) < 1000, message[:300]
            assert message.rstrip().endswith((".", "…", "?")), message
            message.encode("utf-8")
        seconds = time.process_time() - started
        assert seconds < MAX_S, (option.name, str(value)[:80], seconds)


@pytest.mark.parametrize(
    "option", [option for option in OPTIONS if not option.session_wide], ids=lambda option: option.name
)
def test_settings_of_accepted_values_are_made_at_once(option: Option) -> None:
    """What a parser accepts can be resolved, and its seeds and its grid listed."""
    for value in HOSTILE:
        values = {"preset": "embedded", option.name: value}
        source = Source(label="{flag}", values=values)
        started = time.process_time()
        try:
            settings = resolve([source], lambda: ("embedded", "test"))
            assert len(settings.seeds) <= MAX_SEEDS
            assert settings.run_spec("emb", settings.seed).run_id
        except FreezebenchError:
            pass
        assert time.process_time() - started < MAX_S, (option.name, str(value)[:80])


@pytest.mark.parametrize(
    "num_layers",
    [0, -1, 10**9, 10**5000, True, 1.5, "6", None, float("nan"), [], {}],
    ids=lambda value: repr(value)[:9] if not isinstance(value, int) else str(value)[:9] if value < 10**10 else "huge",
)
def test_the_depth_of_a_marker_is_bounded(num_layers: object) -> None:
    """It is a whole number; ``None`` is none."""
    source = Source(label="{name}", values={"preset": "embedded", "num_layers": num_layers})
    if num_layers is None:
        assert resolve([source], lambda: ("embedded", "test")).num_layers is None
        return
    with pytest.raises(SettingsError, match=r"num_layers.*give a (whole )?number"):
        resolve([source], lambda: ("embedded", "test"))


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("num_seeds", "500000000", f"500000000 seeds are more than {MAX_SEEDS}, and each of them is a run"),
        ("num_seeds", ",".join(map(str, range(1, MAX_LOOKS + 2))), f"11 seed counts are more than {MAX_LOOKS}"),
        ("epochs", "10001", "the number of epochs, a whole number from 1 to 10,000."),
        ("batch_size", "1000001", "the batch size, a whole number from 1 to 1,000,000."),
        ("seed", "4294967295", "a seed, a whole number from 0 to 4,294,957,296."),
        ("cache_memory", "9" * 400 + "MiB", "give a size with its unit, such as 512MiB or 4GiB."),
        ("cache_memory", "1025TiB", "a size is at most 1024TiB. Give one such as 512MiB or 4GiB."),
        ("timeout", "8761h", "a duration is at most 8760h. Give one such as 90s, 30min or 2h."),
        (
            "grid",
            ",".join(["emb"] * 10**6),
            "the value has 3,999,999 characters, and at most 5,000 are read. Shorten it.",
        ),
        ("store", "\udcff", "the value holds bytes that are not UTF-8. Write it in UTF-8."),
        ("store", "a\0b", r"a path has no control character such as '\x00'. Write the path on one line."),
        ("report", "~nouser/x", "there is no home folder that '~nouser' could name. Write the whole path."),
        ("lr", 10**5000, "a marker's value cannot be written as text"),
    ],
    ids=lambda value: str(value)[:20] if isinstance(value, str) else "",
)
def test_bounds_are_named(name: str, value: object, message: str) -> None:
    """The sentence says the bound, or the form that is expected."""
    with pytest.raises(SettingsError) as caught:
        BY_NAME[name].parse(value, BY_NAME[name].flag)
    assert message in str(caught.value)


def test_bounds_themselves_are_accepted() -> None:
    """The largest values end nothing."""
    assert int_parser(1, 5, "it")("5") == 5
    assert parse_size("1024TiB") == 2**50
    assert parse_duration("8760h") == 365 * 24 * 3600
    assert parse_size("0.5KiB") == 512
    assert BY_NAME["num_seeds"].parse(str(MAX_SEEDS), "") == BY_NAME["num_seeds"].parse(MAX_SEEDS, "")


@pytest.mark.parametrize("home", [None, "", "/nowhere", "relative"])
def test_home_folders(monkeypatch: pytest.MonkeyPatch, home: str | None) -> None:
    """The home folder is looked up only for a path that begins with a tilde, and may be missing."""
    monkeypatch.delenv("HOME", raising=False)
    if home is not None:
        monkeypatch.setenv("HOME", home)
    assert BY_NAME["store"].parse("runs", "") == "runs"
    try:
        assert str(BY_NAME["store"].parse("~/runs", "")).endswith("/runs")
    except (SettingsError, SpecError) as error:
        assert "there is no home folder" in str(error)  # noqa: PT017 - a user without one
