"""Parsers: from the text of an option to its value.

Each parser raises ``SettingsError`` or ``SpecError`` with a sentence on what is expected; ``Option.parse`` puts
the option and the text in front of it. Modules of ``specs`` are imported inside the functions, since pytest's start-up
imports the options table even in sessions without a freeze test.
"""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import TYPE_CHECKING

from freezebench.errors import SettingsError
from freezebench.specs.fields import brief
from freezebench.specs.names import LARGEST_SEED, is_device
from freezebench.specs.numbers import decimal_number, whole_number

if TYPE_CHECKING:
    from collections.abc import Callable

    from freezebench.specs.budget import BudgetLimit
    from freezebench.specs.grid import PerSpec
    from freezebench.specs.interim_looks import InterimLooks

INCONCLUSIVE_POLICIES = ("skip", "pass", "fail")

_BOOLEANS = {"yes": True, "true": True, "on": True, "1": True, "no": False, "false": False, "off": False, "0": False}
_SIZE_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")
_LARGEST_SIZE = 2**50
_SECONDS = {"s": 1, "min": 60, "h": 3600}
_LONGEST_S = 365 * 24 * 3600
_QUANTITY = re.compile(r"([0-9.]+)\s*([A-Za-z]+)")


def int_parser(smallest: int, largest: int, quantity: str) -> Callable[[str], int]:
    """Return a parser of whole numbers.

    Args:
        smallest: The smallest number that is allowed.
        largest: The largest number that is allowed: one that nobody needs, so that a typing error ends at once.
        quantity: What error messages call the number.
    """

    def parse(text: str) -> int:
        number = whole_number(text)
        if number is None or not smallest <= number <= largest:
            raise SettingsError(f"give {quantity}, a whole number from {smallest:,} to {largest:,}.")
        return number

    return parse


def choice_parser(*choices: str) -> Callable[[str], str]:
    """Return a parser of one of several words."""

    def parse(text: str) -> str:
        if text not in choices:
            raise SettingsError(f"choose from {', '.join(choices)}.")
        return text

    return parse


def per_spec_parser(
    smallest: float, largest: float, expected: str, *, allow_baseline: bool = False
) -> Callable[[str], PerSpec]:
    """Return a parser of numbers per configuration.

    Args:
        smallest: The smallest number that is allowed.
        largest: The largest number that is allowed.
        expected: What the number is, for error messages.
        allow_baseline: Whether the baseline may have a number: not where the number compares with it.
    """

    def parse(text: str) -> PerSpec:
        from freezebench.specs.grid import PerSpec

        numbers = PerSpec.parse(text)
        if not allow_baseline:
            check_not_baseline(numbers)
        if any(not smallest <= number <= largest for number in numbers.numbers):
            raise SettingsError(f"give {expected}, from {smallest:g} to {largest:g}.")
        return numbers

    return parse


parse_cost_ratio = per_spec_parser(
    0.1, 10, "a multiple of the saved run's figure, 1.05 for at most 5 % more", allow_baseline=True
)


def parse_time_ratio(text: str) -> PerSpec:
    """Return multiples of the saved run's train times; a duration is no such limit."""
    match = _QUANTITY.fullmatch(text)
    if match is not None and match[2] in _SECONDS:
        raise SettingsError(
            "give a multiple of the saved run's time, such as 1.05. A limit on the duration of each run is "
            "--freeze-timeout, and of the session --freeze-budget."
        )
    return parse_cost_ratio(text)


parse_saving = per_spec_parser(0.1, 99.9, "the saving in per cent of what no freezing needs")
parse_speedup = per_spec_parser(1.01, 1000, "the speed-up, how many times as fast as without freezing")


def parse_seed(text: str) -> int:
    """Return a seed that torch, numpy and the Trainer accept, as well as the seeds that follow it."""
    return int_parser(0, LARGEST_SEED, "a seed")(text)


def parse_text(text: str) -> str:
    """Return the text, which must not be empty."""
    if not text:
        raise SettingsError("the value is empty. Give one, or leave the option out.")
    return text


def parse_folder(text: str) -> str:
    """Return the path of a folder, with the home folder in place of ``~``; whether it can be written is seen later."""
    _check_path(parse_text(text))
    try:
        return str(Path(text).expanduser())
    except RuntimeError:
        raise SettingsError(
            f"there is no home folder that {text.partition('/')[0]!r} could name. Write the whole path."
        ) from None


def parse_run(text: str) -> str:
    """Return the name or the path of a saved run."""
    _check_path(parse_text(text))
    return text


def _check_path(text: str) -> None:
    """Refuse a path that no file has on purpose: one with a line break, NUL or another control character."""
    control = next((character for character in text if character < " " or character == "\x7f"), None)
    if control is not None:
        raise SettingsError(f"a path has no control character such as {control!r}. Write the path on one line.")


def parse_columns(text: str) -> tuple[str, ...]:
    """Return the names of one or two columns; double quotes keep the commas of a name."""
    # csv refuses line breaks outside of quotes, which no name has.
    lines = [] if len(text.splitlines()) > 1 else [text]
    names = tuple(name.strip() for name in next(csv.reader(lines, skipinitialspace=True), ()))
    if not names or not all(names) or len(names) > 2 or len(set(names)) != len(names):  # noqa: PLR2004 - or a pair
        raise SettingsError(
            "give one column, or two different ones for sentence pairs: premise,hypothesis. Put double quotes around a "
            "name with a comma."
        )
    return names


def parse_device(text: str) -> str:
    """Return the name of a device."""
    if is_device(text):
        return text
    raise SettingsError("choose from auto, cpu, cuda, cuda:0, cuda:1, …")


def parse_devices(text: str) -> tuple[str, ...]:
    """Return the names of the devices that train at the same time, or ``all`` alone."""
    names = tuple(name.strip() for name in text.split(","))
    if names == ("all",):
        return names
    unknown = [name for name in names if name == "auto" or not is_device(name)]
    if unknown or "cuda" in names:
        raise SettingsError("give all, or devices separated by commas: cuda:0,cuda:1, or cpu,cpu.")
    if "cpu" in names and set(names) != {"cpu"}:
        raise SettingsError("the CPU takes far longer for a run than a GPU does. Choose GPUs, or the CPU.")
    numbers = [int(name.removeprefix("cuda:")) for name in names if name != "cpu"]
    if len(set(numbers)) < len(numbers):
        raise SettingsError("one GPU is named twice, and two runs on it would share its memory. Name each GPU once.")
    return tuple(f"cuda:{number}" for number in numbers) or names


def parse_grid(text: str) -> str:
    """Return a grid with canonical freeze specs, without spaces; the model's depth is checked later."""
    from freezebench.specs.grid import split_grid

    return ",".join(split_grid(text))


def parse_looks(text: str) -> InterimLooks:
    """Return the numbers of seeds after which a configuration is judged."""
    from freezebench.specs.interim_looks import InterimLooks

    return InterimLooks.parse(text)


def parse_bool(text: str) -> bool:
    """Return the truth value of yes or no, or of a usual synonym."""
    if text.lower() not in _BOOLEANS:
        raise SettingsError("choose yes or no.")
    return _BOOLEANS[text.lower()]


def parse_size(text: str) -> int:
    """Return a number of bytes."""
    number, unit = _quantity(text)
    if number is None or unit not in _SIZE_UNITS:
        raise SettingsError("give a size with its unit, such as 512MiB or 4GiB.")
    size = number * 1024 ** _SIZE_UNITS.index(unit)
    if size > _LARGEST_SIZE:
        raise SettingsError(f"a size is at most {_LARGEST_SIZE // 1024**4}TiB. Give one such as 512MiB or 4GiB.")
    return int(size)


def parse_duration(text: str) -> float:
    """Return a number of seconds."""
    number, unit = _quantity(text)
    if not number or unit not in _SECONDS:
        raise SettingsError("give a duration above 0 with its unit, such as 90s, 30min or 2h.")
    seconds = number * _SECONDS[unit]
    if seconds > _LONGEST_S:
        raise SettingsError(f"a duration is at most {_LONGEST_S // 3600}h. Give one such as 90s, 30min or 2h.")
    return seconds


def parse_budget(text: str) -> BudgetLimit:
    """Return a number of runs or a duration: ``40runs``, ``30min``."""
    from freezebench.specs.budget import BudgetLimit
    from freezebench.units import counted

    number, unit = _quantity(text)
    if unit in ("run", "runs"):
        if number is None or number < 1 or number != int(number):
            raise SettingsError("give a whole number of runs from 1 on, such as 40runs.")
        return BudgetLimit(text=counted(int(number), "run"), max_runs=int(number))
    if not number or unit not in _SECONDS:
        raise SettingsError("give a number of runs such as 40runs, or a duration such as 30min or 2h.")
    return BudgetLimit(text=f"{number:g} {unit}", max_s=parse_duration(text))


def _quantity(text: str) -> tuple[float | None, str]:
    """Return the number and the unit of a text; ``None`` and nothing if it has no such form."""
    match = _QUANTITY.fullmatch(text)
    return (decimal_number(match[1]), match[2]) if match else (None, "")


def parse_learning_rates(text: str) -> PerSpec:
    """Return learning rates per configuration."""
    from freezebench.specs.grid import PerSpec

    # AdamW changes a weight by about the learning rate per step, so that nothing can be learned with a rate above 1.
    rates = PerSpec.parse(text)
    if any(not 0 < rate <= 1 for rate in rates.numbers):
        raise SettingsError("give a learning rate above 0 and at most 1, such as 5e-5.")
    return rates


def parse_policies(text: str) -> str:
    """Return one policy, or policies per configuration, with canonical freeze specs: ``skip,emb+L0-5:pass``."""
    from freezebench.specs.entries import split_entries
    from freezebench.specs.top_layers import canonical_name

    # The policy of all other configurations has the empty name.
    policies: dict[str, str] = {}
    for entry in split_entries(text):
        spec, colon, policy = entry.rpartition(":")
        if policy not in INCONCLUSIVE_POLICIES:
            raise SettingsError(f"choose from {', '.join(INCONCLUSIVE_POLICIES)}, or per configuration: skip,emb:fail.")
        name = canonical_name(spec) if colon else ""
        if name in policies:
            raise SettingsError(f"{name or 'every other configuration'} has two policies. Give it one.")
        policies[name] = policy
    return ",".join(f"{name}:{policy}" if name else policy for name, policy in policies.items())


def parse_across(text: str) -> tuple[str, ...]:
    """Return what may differ from a saved run."""
    from freezebench.specs.across import ACROSS

    names = tuple(dict.fromkeys(name.strip().replace("_", "-") for name in text.split(",")))
    unknown = [name for name in names if name not in ACROSS]
    if unknown:
        raise SettingsError(f"a comparison across {brief(unknown[0])} is not known. Choose from {', '.join(ACROSS)}.")
    return names


def parse_specs(text: str) -> tuple[str, ...]:
    """Return the canonical ids of several configurations, or ``all`` alone."""
    from freezebench.specs.grid import ALL, WORDS, split_grid
    from freezebench.specs.top_layers import names_top_layers

    specs = tuple(dict.fromkeys(split_grid(text)))
    unclear = next((name for name in specs if name != ALL and (name in WORDS or names_top_layers(name))), None)
    if unclear is not None:
        raise SettingsError(f"{unclear!r} names other configurations in other models. Give freeze specs, or 'all'.")
    return (ALL,) if ALL in specs else specs


def check_not_baseline(limits: PerSpec) -> None:
    """Refuse a limit on the baseline: it would compare the baseline with itself."""
    if any(spec == "none" for spec, _ in limits.by_spec):
        raise SettingsError("none is the baseline that drops are measured from. Name what is frozen, such as emb.")
