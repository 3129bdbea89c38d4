"""Options on the command line and in the ini file, and the session that they configure."""

from __future__ import annotations

import contextlib
import difflib
from typing import TYPE_CHECKING

import pytest

from freezebench.config.lists import split_list
from freezebench.config.options import OPTIONS
from freezebench.errors import FreezebenchError
from freezebench.import_path import installed_modules_first
from freezebench.pytest_plugin.benchmark import (
    BenchmarkHooks,
    FallbackBenchmark,
    refuse_missing_file,
    refuse_profiling,
    refuse_saving_without_times,
)
from freezebench.pytest_plugin.default_store import DefaultStore, default_store
from freezebench.pytest_plugin.interrupts import Interruption

# What only freeze tests need is imported when the first one is found: most pytest sessions have none.
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from freezebench.session import FreezeSession

_SESSION = pytest.StashKey["FreezeSession"]()
_WARNING = pytest.StashKey["str | None"]()

_PREFIX = "--freeze-"
_REFUSED = "freezebench_refused"
_NO_WORKERS = (
    "freeze tests cannot run under pytest-xdist: its workers share no baseline and would compete for the device. Use "
    "-n0, and --freeze-devices=all for several devices."
)
_MARKER = (
    "freeze(**options): settings of a test that uses the freeze_run fixture, named like the --freeze-* options without "
    "the prefix: freeze(model='./checkpoint', data='./reviews', grid='none,emb', max_drop=3); model and data may be "
    "lists; test may be a dictionary of names and sources; num_layers=N says the depth of a model that a factory makes."
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Register every option of the table as flag and ini key."""
    group = parser.getgroup("freezebench", "freezebench: which layers can be frozen, at what cost, saving what")
    for option in OPTIONS:
        takes: dict[str, str] = {"metavar": option.metavar}
        if option.is_switch:
            takes = {"action": "store_const", "const": "yes"}
        elif option.may_lack_value:
            takes |= {"nargs": "?", "const": "yes"}
        elif option.is_list or option.takes_pairs:
            # Of other options the last value counts, so that a command line overrides those of addopts.
            takes["action"] = "append"
        group.addoption(option.flag, dest=option.ini, default=None, help=option.help, **takes)
        parser.addini(option.ini, f"default of {option.flag}", default=None)


@pytest.hookimpl(trylast=True)  # once initial conftest files have added their options
def pytest_load_initial_conftests(parser: pytest.Parser, args: list[str]) -> None:
    """Refuse options that begin as those of freezebench and are none, with the nearest one that there is.

    Raises:
        pytest.UsageError: If there is one.
    """
    if not any(argument.startswith(_PREFIX) for argument in args):
        return
    _, unknown = parser.parse_known_and_unknown_args(args)
    for argument in unknown:
        flag = argument.partition("=")[0]
        if flag.startswith(_PREFIX):
            # The beginning that all have in common would make any two of them near.
            names = [option.flag.removeprefix(_PREFIX) for option in OPTIONS]
            near = difflib.get_close_matches(flag.removeprefix(_PREFIX), names, n=1)
            hint = f"Did you mean {_PREFIX}{near[0]}?" if near else "Choose one that pytest --help lists."
            raise pytest.UsageError(f"there is no option {flag}. {hint}")


@installed_modules_first()
def pytest_configure(config: pytest.Config) -> None:
    """Resolve the options of command line and ini file; bad values end the session here."""
    config.addinivalue_line("markers", _MARKER)
    if any(_given_options(config)):
        with usage_errors():
            freeze_session(config)
    refuse_missing_file(config)
    has_benchmark = config.pluginmanager.hasplugin("benchmark")
    adapter = BenchmarkHooks(lambda: find_session(config)) if has_benchmark else FallbackBenchmark()
    config.pluginmanager.register(adapter, "freezebench-benchmark")
    config.pluginmanager.register(Interruption(lambda: find_session(config)), "freezebench-interruption")
    session = find_session(config)
    if session is not None and session.options.session_settings.plan:
        if _distributes(config):  # its controller collects nothing, so that there would be nothing to plan
            raise pytest.UsageError(_NO_WORKERS)
        config.pluginmanager.register(PlanOnly(), "freezebench-plan")


@installed_modules_first()
def pytest_unconfigure(config: pytest.Config) -> None:
    """End the worker process."""
    session = find_session(config)
    if session is not None:
        session.close()


class PlanOnly:
    """Hooks of a session that shows its plan and runs no test."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """Replace pytest's loop, which still has to report errors of collection."""
        return None if session.testsfailed else True


def find_session(config: pytest.Config) -> FreezeSession | None:
    """Return this pytest run's session; ``None`` if no option was given and no freeze test was found so far."""
    return config.stash.get(_SESSION, None)


def store_warning(config: pytest.Config) -> str | None:
    """Return why this pytest run does not keep its finished runs; ``None`` if it does."""
    return config.stash.get(_WARNING, None)


def freeze_session(config: pytest.Config) -> FreezeSession:
    """Return this pytest run's session, made at the first call.

    Raises:
        FreezebenchError: If an option has a bad value.
    """
    if _SESSION not in config.stash:
        from freezebench.session import FreezeSession

        flags, ini = _given_options(config)
        # The cache folder is not touched where runs are kept elsewhere.
        default = DefaultStore() if "store" in {**flags, **ini} else default_store(config)
        config.stash[_SESSION] = FreezeSession(
            flags,
            ini,
            # Without the flag, pytest-benchmark's value is [].
            has_reference=bool(config.getoption("benchmark_compare", None)),
            with_times=not config.getoption("benchmark_disable", None),
            default_store=default.folder,
        )
        config.stash[_WARNING] = default.warning
    return config.stash[_SESSION]


@contextlib.contextmanager
def usage_errors() -> Iterator[None]:
    """Turn freezebench's errors into pytest's usage errors: one sentence and exit code 4.

    Raises:
        pytest.UsageError: In place of a FreezebenchError.
    """
    try:
        yield
    except FreezebenchError as error:
        raise pytest.UsageError(str(error)) from error


def refuse_combinations(config: pytest.Config) -> None:
    """Refuse options of other plugins with which the selected freeze tests would train twice, or without a baseline.

    Raises:
        pytest.UsageError: If such an option is set.
    """
    if hasattr(config, "workeroutput"):
        config.workeroutput[_REFUSED] = _NO_WORKERS  # what a worker raises, its controller would not show
        raise pytest.UsageError(_NO_WORKERS)
    refuse_profiling(config)
    refuse_saving_without_times(config, freeze_session(config).options.session_settings.devices)


def _distributes(config: pytest.Config) -> bool:
    """Return whether pytest-xdist runs the tests in other processes, or this is one of them."""
    distributes = config.getoption("dist", "no") != "no" and not config.option.collectonly
    return distributes or hasattr(config, "workeroutput")


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: object) -> None:
    """End a session of pytest-xdist whose workers found freeze tests.

    Raises:
        pytest.UsageError: If this worker refused them.
    """
    refusal = getattr(node, "workeroutput", {}).get(_REFUSED)
    if refusal is not None:
        raise pytest.UsageError(refusal)


def _given_options(config: pytest.Config) -> tuple[dict[str, object], dict[str, object]]:
    """Return flags and ini keys that have a value, by option name; an empty ini key has none."""
    flags = {option.name: config.getoption(option.ini) for option in OPTIONS}
    ini = {option.name: config.getini(option.ini) for option in OPTIONS}
    for name in (option.name for option in OPTIONS if option.is_list):
        # Every repetition of a flag, and every line of an ini file, may have several entries.
        if flags[name]:
            flags[name] = _entries(flags[name])
        if ini[name] and isinstance(ini[name], str):
            ini[name] = _entries(ini[name].strip().split("\n"))
    for name in (option.name for option in OPTIONS if option.takes_pairs):
        if isinstance(ini[name], str):
            ini[name] = [line.strip() for line in ini[name].split("\n") if line.strip()]
    return (
        {name: value for name, value in flags.items() if value is not None},
        {name: value for name, value in ini.items() if value},
    )


def _entries(texts: Sequence[str]) -> list[str]:
    return [entry for text in texts for entry in split_list(text)]
