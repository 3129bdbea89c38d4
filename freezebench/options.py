"""The one table of options, from which the command line, the ini keys, the marker's arguments and the docs are made."""

from __future__ import annotations

import math
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from freezebench.errors import SettingsError, SpecError
from freezebench.specs.names import ENGINES, ISOLATIONS, PRECISIONS, PREFIX_MODES, PRESET_NAMES

if TYPE_CHECKING:
    from collections.abc import Callable

    from freezebench.specs.grid import PerSpec
    from freezebench.specs.looks import Looks

INCONCLUSIVE_POLICIES = ("skip", "pass", "fail")

_SMALLEST_POINTS = 0.1
_LARGEST_SEED = 2**32 - 10_000


@dataclass(frozen=True, kw_only=True)
class Option:
    """One option.

    Attributes:
        name: Name in Python, in the marker, and, with dashes or underscores, in flag and ini key.
        metavar: What ``pytest --help`` shows for the value.
        help: What the option does, with its unit and default.
        read: Returns the value of a text; raises ``SettingsError`` or ``SpecError`` with the reason.
        in_marker: Whether a ``freeze`` marker may set it for its test.
        is_switch: Whether the flag stands alone and means yes.
    """

    name: str
    metavar: str
    help: str
    read: Callable[[str], Any]
    in_marker: bool = True
    is_switch: bool = False

    @property
    def flag(self) -> str:
        """The command-line flag."""
        return "--freeze-" + self.name.replace("_", "-")

    @property
    def ini(self) -> str:
        """The ini key."""
        return "freeze_" + self.name

    def parse(self, value: Any, where: str) -> Any:
        """Return the option's value.

        Args:
            value: A text from flag or ini, or what a marker gives: a number, a list or a dictionary per configuration.
            where: What the error message calls the place that the value comes from.

        Raises:
            SettingsError: If the value cannot be read, naming the place, the value and what is expected.
        """
        text = _as_text(value)
        try:
            return self.read(text)
        except (SettingsError, SpecError) as error:
            raise SettingsError(f"{where}={text}: {error}") from error


def _as_text(value: Any) -> str:
    """Return a marker's number, list or dictionary in the words of the command line."""
    if isinstance(value, dict):
        return ",".join(f"{key}:{number}" for key, number in value.items())
    if isinstance(value, (list, tuple)):
        return ",".join(str(item) for item in value)
    return str(value).strip()


def _whole(smallest: int, what: str) -> Callable[[str], int]:
    """Return a reader of whole numbers."""

    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = smallest - 1
        if number < smallest:
            raise SettingsError(f"{what} is a whole number from {smallest} on.")
        return number

    return read


def _seed(text: str) -> int:
    """Return a seed that torch, numpy and the Trainer all take, with room for those that follow it."""
    number = _whole(0, "a seed")(text)
    if number > _LARGEST_SEED:
        raise SettingsError(f"a seed is at most {_LARGEST_SEED}.")
    return number


def _choice(*choices: str) -> Callable[[str], str]:
    """Return a reader of one of several words."""

    def read(text: str) -> str:
        if text not in choices:
            raise SettingsError(f"choose from {', '.join(choices)}.")
        return text

    return read


def _text(text: str) -> str:
    if not text:
        raise SettingsError("the value is empty. Give one, or leave the option out.")
    return text


def _columns(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(","))
    if not all(names) or len(names) > 2 or len(set(names)) != len(names):  # noqa: PLR2004 - a sentence or a pair
        raise SettingsError("give one column, or two different ones for sentence pairs: premise,hypothesis.")
    return names


def _device(text: str) -> str:
    if text in ("auto", "cpu", "cuda") or (text.startswith("cuda:") and text[5:].isdecimal()):
        return text
    raise SettingsError("choose from auto, cpu, cuda, cuda:0, cuda:1, …")


def _grid(text: str) -> str:
    from freezebench.specs.grid import split_grid

    return ",".join(split_grid(text))


def _looks(text: str) -> Looks:
    from freezebench.specs.looks import Looks

    return Looks.parse(text)


def _yes_or_no(text: str) -> bool:
    words = {"yes": True, "true": True, "on": True, "1": True, "no": False, "false": False, "off": False, "0": False}
    if text.lower() not in words:
        raise SettingsError("choose yes or no.")
    return words[text.lower()]


def _check_not_baseline(limits: PerSpec) -> None:
    """Refuse a limit on the configuration that everything is measured from: it would assert nothing."""
    if any(spec == "none" for spec, _ in limits.by_spec):
        raise SettingsError("none is the baseline that drops are measured from. Name what is frozen, such as emb.")


def _per_spec(smallest: float, largest: float, expected: str, *, of_freezing: bool = True) -> Callable[[str], PerSpec]:
    """Return a reader of numbers per configuration within bounds; what freezing saves is not asked of the baseline."""

    def read(text: str) -> PerSpec:
        from freezebench.specs.grid import PerSpec

        numbers = PerSpec.parse(text)
        if of_freezing:
            _check_not_baseline(numbers)
        if any(not smallest <= number <= largest for number in numbers.numbers):
            raise SettingsError(f"{expected}, from {smallest:g} to {largest:g}.")
        return numbers

    return read


def _size(text: str) -> int:
    """Return a number of bytes."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(B|KiB|MiB|GiB|TiB)", text)
    if match is None:
        raise SettingsError("give a size with its unit, such as 512MiB or 4GiB.")
    return int(float(match[1]) * 1024 ** ("B", "KiB", "MiB", "GiB", "TiB").index(match[2]))


def _duration(text: str) -> float:
    """Return a number of seconds."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|min|h)", text)
    if match is None or float(match[1]) == 0:
        raise SettingsError("give a duration above 0 with its unit, such as 90s, 30min or 2h.")
    return float(match[1]) * {"s": 1, "min": 60, "h": 3600}[match[2]]


_RATIO = _per_spec(
    0.1, 10, "the limit is a multiple of the saved run's figure, 1.05 for at most 5 % more", of_freezing=False
)
_SAVING = _per_spec(0.1, 99.9, "the saving is in per cent of what no freezing needs")


def _learning_rates(text: str) -> PerSpec:
    from freezebench.specs.grid import PerSpec

    rates = PerSpec.parse(text)
    if any(not 0 < rate <= 1 for rate in rates.numbers):
        raise SettingsError("a learning rate is a number above 0 and at most 1, such as 5e-5.")
    return rates


def _check_points(number: float) -> None:
    if not (math.isfinite(number) and _SMALLEST_POINTS <= number <= 100):  # noqa: PLR2004 - percentage points
        meant = f" Did you mean {number * 100:g} points?" if 0 < number < _SMALLEST_POINTS else ""
        raise SettingsError(f"the limit is in percentage points, from {_SMALLEST_POINTS} to 100.{meant}")


def _policies(text: str) -> str:
    """Return one policy, or one per configuration, in canonical words: ``skip,emb+L0-5:pass``."""
    from freezebench.specs.freeze import FreezeSpec

    words: dict[str, str] = {}
    for entry in text.split(","):
        spec, colon, word = entry.strip().rpartition(":")
        if word not in INCONCLUSIVE_POLICIES:
            raise SettingsError(f"choose from {', '.join(INCONCLUSIVE_POLICIES)}, or per configuration: skip,emb:fail.")
        name = str(FreezeSpec.parse(spec)) if colon else ""
        if name in words:
            raise SettingsError(f"{name or 'what is not named'} has two policies. Give it one.")
        words[name] = word
    return ",".join(f"{name}:{word}" if name else word for name, word in words.items())


def _points(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    _check_points(number)
    return number


def _points_per_spec(text: str) -> PerSpec:
    from freezebench.specs.grid import PerSpec

    limits = PerSpec.parse(text)
    _check_not_baseline(limits)
    for number in limits.numbers:
        _check_points(number)
    return limits


OPTIONS: tuple[Option, ...] = (
    Option(
        name="grid",
        metavar="GRID",
        read=_grid,
        help="configurations to compare: 'all' (the whole ladder of the model), one freeze spec, or a comma-separated "
        "list; a spec is none, emb, L3, L0-3, head, or parts joined by '+' (default: the test's marker, else all)",
    ),
    Option(
        name="preset",
        metavar="NAME",
        read=_choice(*PRESET_NAMES),
        help=f"complete experiment: {', '.join(PRESET_NAMES)} (default: distilbert-sst2 with a CUDA GPU and its Hub "
        "assets reachable or cached, else embedded)",
    ),
    Option(
        name="model",
        metavar="MODEL",
        read=_text,
        help="model to fine-tune: a Hub name, a checkpoint folder, 'embedded', or module:factory "
        "(default: the preset's)",
    ),
    Option(
        name="data",
        metavar="DATA",
        read=_text,
        help="data set: a Hub name (or name:config), a folder with train, validation and test files (.jsonl, .json, "
        ".csv, .tsv, .parquet), one such file, or 'generated' (default: the preset's)",
    ),
    Option(
        name="text_column",
        metavar="COLUMN",
        read=_columns,
        help="column of the sentences; two, separated by a comma, for sentence pairs (default: text)",
    ),
    Option(name="label_column", metavar="COLUMN", read=_text, help="column of the labels (default: label)"),
    Option(
        name="num_seeds",
        metavar="K",
        read=_looks,
        help="seeds per configuration: one number, or 3,5,8 to judge after 3, 5 and 8 seeds and stop as soon as the "
        "configuration is decided; one seed gives figures and no verdict (default: the preset's)",
    ),
    Option(
        name="seed",
        metavar="SEED",
        read=_seed,
        help="the first seed; the others are SEED + 1, SEED + 2, … (default: 42)",
    ),
    Option(
        name="epochs",
        metavar="N",
        read=_whole(1, "the number of epochs"),
        help="passes over the training sentences (default: the preset's)",
    ),
    Option(
        name="batch_size",
        metavar="N",
        read=_whole(1, "the batch size"),
        help="sentences per training step (default: the preset's)",
    ),
    Option(
        name="lr",
        metavar="RATE",
        read=_learning_rates,
        help="learning rate, one number or per configuration: 5e-5,emb+L0-5:1e-3 (default: the preset's)",
    ),
    Option(
        name="max_train",
        metavar="N",
        read=_whole(2, "the number of training sentences"),
        help="train on at most N sentences, drawn once, class by class (default: all)",
    ),
    Option(
        name="max_length",
        metavar="N",
        read=_whole(4, "the longest input in tokens"),
        help="cut inputs to N tokens (default: what model and tokenizer allow)",
    ),
    Option(
        name="engine",
        metavar="ENGINE",
        read=_choice(*ENGINES),
        help="standard (freezebench's loop), cached (the same, but a frozen prefix is computed once for all "
        "configurations and seeds) or trainer (the Transformers Trainer) (default: the preset's)",
    ),
    Option(
        name="prefix_mode",
        metavar="MODE",
        read=_choice(*PREFIX_MODES),
        help="dropout in frozen embeddings and layers: eval turns it off, which is what can be cached, train leaves it "
        "on, as the notebook does (default: eval with the engine cached, else train)",
    ),
    Option(
        name="prefix_cache",
        metavar="DIR",
        read=_text,
        in_marker=False,
        help="keep outputs of frozen prefixes in this folder and use what earlier sessions left there, verified "
        "(default: they end with the session)",
    ),
    Option(
        name="prefix_cache_size",
        metavar="SIZE",
        read=_size,
        in_marker=False,
        help="let that folder grow to this size; what was used longest ago makes room (default: 10GiB)",
    ),
    Option(
        name="cache_memory",
        metavar="SIZE",
        read=_size,
        in_marker=False,
        help="keep outputs of frozen prefixes in memory up to this size, such as 512MiB or 4GiB, and beyond it in "
        "memory-mapped temporary files (default: 1GiB)",
    ),
    Option(
        name="device",
        metavar="DEVICE",
        read=_device,
        help="auto, cpu, cuda or cuda:N (default: auto, a CUDA GPU where there is one)",
    ),
    Option(
        name="precision",
        metavar="FORMAT",
        read=_choice(*PRECISIONS),
        help="auto (bf16 where the hardware has it, else float32), float32 or bf16 (default: the preset's)",
    ),
    Option(
        name="margin",
        metavar="POINTS",
        read=_points,
        help="a depth counts as safe if its accuracy drop is shown to be below this many percentage points; "
        "decides the deepest safe prefix, never fails a test (default: 2)",
    ),
    Option(
        name="max_drop",
        metavar="POINTS",
        read=_points_per_spec,
        help="assert that freezing costs less accuracy than this many percentage points, one number or per "
        "configuration: 2,emb+L0-4:5 (default: the preset's or marker's limits; none for your own model or data)",
    ),
    Option(
        name="pool_seeds",
        metavar="YES",
        read=_yes_or_no,
        is_switch=True,
        help="estimate the variance between seeds over all configurations together, assuming that it is the same "
        "(default: each configuration by itself)",
    ),
    Option(
        name="min_speedup",
        metavar="TIMES",
        read=_per_spec(1.01, 1000, "the speed-up is how many times as fast as without freezing"),
        help="require that freezing trains at least this many times as fast as no freezing, one number or per "
        "configuration: emb+L0-3:1.5; interleaves 5 runs with 5 unfrozen ones (default: nothing is required)",
    ),
    Option(
        name="min_energy_saving",
        metavar="PERCENT",
        read=_SAVING,
        help="require that freezing saves this much of the energy of training, likewise (default: nothing is required)",
    ),
    Option(
        name="min_memory_saving",
        metavar="PERCENT",
        read=_SAVING,
        help="require that freezing saves this much of the peak memory (default: nothing is required)",
    ),
    Option(
        name="max_time",
        metavar="TIMES",
        read=_RATIO,
        help="with --benchmark-compare: assert that training takes at most this many times as long as in the saved "
        "run, one number or per configuration: 1.05,emb:1.1; needs 5 seeds on both sides (default: only shown)",
    ),
    Option(
        name="max_energy",
        metavar="TIMES",
        read=_RATIO,
        help="with --benchmark-compare: likewise for the energy of training (default: shown, not asserted)",
    ),
    Option(
        name="max_memory",
        metavar="TIMES",
        read=_RATIO,
        help="with --benchmark-compare: likewise for peak memory, by plain tolerance: 1.01 (default: shown, not "
        "asserted)",
    ),
    Option(
        name="inconclusive",
        metavar="POLICY",
        read=_policies,
        help="outcome of a test whose limits the evidence cannot decide: skip, pass or fail, one word or per "
        "configuration: skip,emb+L0-5:pass (default: skip)",
    ),
    Option(
        name="plan",
        metavar="YES",
        read=_yes_or_no,
        in_marker=False,
        is_switch=True,
        help="show which runs, seeds and steps are planned and how long they take by saved runs, then stop before any "
        "test runs",
    ),
    Option(
        name="report",
        metavar="DIR",
        read=_text,
        in_marker=False,
        help="write the report to DIR: index.html with its pictures, report.md, report.csv, and report.json with "
        "everything per run",
    ),
    Option(
        name="store",
        metavar="DIR",
        read=_text,
        in_marker=False,
        help="keep every finished run as a file in DIR, and reuse it in later sessions with the same model, data, "
        "options, versions and kind of device (default: the folder freezebench in pytest's cache folder)",
    ),
    Option(
        name="resume",
        metavar="YES",
        read=_yes_or_no,
        in_marker=False,
        help="yes reuses the finished runs of earlier sessions, no trains all anew (default: yes, but no with "
        "--benchmark-compare)",
    ),
    Option(
        name="isolate",
        metavar="HOW",
        read=_choice(*ISOLATIONS),
        in_marker=False,
        help="where runs train: worker (a process of their own, replaced after a fault), run (a fresh process for "
        "every run) or none (in pytest's process, for debugging) (default: worker)",
    ),
    Option(
        name="timeout",
        metavar="DURATION",
        read=_duration,
        in_marker=False,
        help="end a run that takes longer, such as 90s, 30min or 2h, and call it invalid (default: 24h)",
    ),
)

BY_NAME = {option.name: option for option in OPTIONS}


def in_ci() -> bool:
    """Return whether this runs under continuous integration: nobody is watching, so nothing is decided quietly."""
    return os.environ.get("CI", "").lower() not in ("", "0", "false")
