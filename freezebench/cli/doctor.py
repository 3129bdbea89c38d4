"""``doctor``: what this machine, or a Ray cluster, can train on, measure and reach."""

from __future__ import annotations

import os
from importlib.util import find_spec
from textwrap import fill
from typing import TYPE_CHECKING

from tabulate import tabulate

from freezebench.cli.arguments import parsed_argument
from freezebench.cli.output import write, write_lines
from freezebench.config.clusters import parse_cluster
from freezebench.errors import SettingsError, SpecError
from freezebench.escaping import json_text, visible

if TYPE_CHECKING:
    from freezebench.meters.probe import Capability

_MOST_COLUMNS = 80  # of the last column


def doctor(*, as_json: bool, cluster: str | None = None) -> int:
    """Print what this machine, or a cluster, can train on, measure and reach; return 0, whatever is missing.

    Raises:
        FreezebenchError: If there is no such cluster.
    """
    if cluster is None:
        capabilities = [*_training(), *_strategies(), *_measuring(), *_presets()]
    else:
        from freezebench.cli.cluster import cluster_capabilities

        capabilities = cluster_capabilities(parsed_argument(parse_cluster, cluster, "--freeze-cluster"))
    if as_json:
        write(json_text([capability.to_json() for capability in capabilities], indent=1) + "\n")
        return 0
    rows = [["yes" if row.available else "no", visible(row.name), _wrapped(row.detail)] for row in capabilities]
    write_lines(tabulate(rows, headers=["", "what", "source, or what is missing and what to do"]).split("\n"))
    return 0


def _wrapped(detail: str) -> str:
    """Return a detail in lines that most terminals show whole; paths and options are not parted."""
    return fill(visible(detail), _MOST_COLUMNS, break_long_words=False, break_on_hyphens=False)


def _training() -> list[Capability]:
    """Return the devices and number formats that runs can use."""
    import torch

    from freezebench.meters.probe import Capability
    from freezebench.training.device import device_name, resolve_precision

    devices = [torch.device("cpu"), *(torch.device("cuda", index) for index in range(torch.cuda.device_count()))]
    capabilities = [Capability(name="torch", available=True, detail=torch.__version__)]
    for device in devices:
        capabilities.append(Capability(name=f"device {device}", available=True, detail=device_name(device)))
        has_bf16 = resolve_precision("auto", device) == "bf16"
        detail = "native instructions" if has_bf16 else "no native instructions: float32 is used"
        capabilities.append(Capability(name=f"bf16 on {device}", available=has_bf16, detail=detail))
    if len(devices) == 1:
        detail = f"torch {torch.__version__} finds no CUDA device"
        capabilities.append(Capability(name="device cuda", available=False, detail=detail))
    return [*capabilities, _all_devices()]


def _all_devices() -> Capability:
    """Return the devices that ``--freeze-devices=all`` uses, under the names that select some of them."""
    from freezebench.executors.local_devices import ALL, resolve_devices
    from freezebench.meters.probe import Capability

    try:
        devices = resolve_devices(ALL, os.environ)
    except SettingsError as error:
        return Capability(name="--freeze-devices=all", available=False, detail=str(error))
    names = [f"{device.name} ({device.model or 'unnamed'}, {device.uuid})" for device in devices if not device.is_cpu]
    return Capability(name="--freeze-devices=all", available=True, detail=", ".join(names) or "cpu")


def _strategies() -> list[Capability]:
    """Return the strategies that are installed, those of other packages included, and what others lack."""
    from freezebench.meters.probe import Capability
    from freezebench.specs.installed_strategies import installed_strategies, package_of, unusable_strategies
    from freezebench.specs.strategies import known_strategies, strategy_class

    unusable = unusable_strategies()
    capabilities = [Capability(name=f"strategy {name}", available=False, detail=unusable[name]) for name in unusable]
    for name in known_strategies():
        try:
            strategy = strategy_class(name)
        except SpecError as error:
            capabilities.append(Capability(name=f"strategy {name}", available=False, detail=str(error)))
            continue
        detail = f"{strategy.usage()}: {strategy.summary}"
        if name in installed_strategies():
            detail += f" (of {package_of(name)})"
        is_available = strategy.library is None or find_spec(strategy.library) is not None
        if not is_available:
            package = strategy.library if strategy.extra is None else f"'freezebench[{strategy.extra}]'"
            command = f"python -m pip install {package}"
            detail = f"{strategy.library} is not installed: run `{command}`"
        capabilities.append(Capability(name=f"strategy {name}", available=is_available, detail=detail))
    return capabilities


def _measuring() -> list[Capability]:
    """Return the figures that can be measured."""
    from freezebench.meters.probe import probe

    return probe()


def _presets() -> list[Capability]:
    """Return the presets whose models and data are cached or can be downloaded."""
    from freezebench.meters.probe import Capability
    from freezebench.specs.presets import PRESETS

    # Presets may share their model and data: the Hub is requested once for both.
    states = {
        assets: _assets_state(*assets)
        for assets in dict.fromkeys((preset.model, preset.data.source) for preset in PRESETS.values())
    }
    capabilities = []
    for preset in PRESETS.values():
        is_available, detail = states[preset.model, preset.data.source]
        capabilities.append(Capability(name=f"preset {preset.name}", available=is_available, detail=detail))
    return capabilities


def _assets_state(model: str, data: str) -> tuple[bool, str]:
    """Return whether a preset's model and data set are available, and their source, or what to do."""
    from freezebench.data import reviews
    from freezebench.errors import ModelError
    from freezebench.hub import download_command
    from freezebench.models.availability import hub_state
    from freezebench.models.embedded import checkpoint_folder

    if model == "embedded":
        try:
            folder = checkpoint_folder()
        except ModelError as error:
            return False, str(error)
        if data == reviews.SOURCE and not reviews.is_fetched():
            where = reviews.cache_folder()
            return False, f"{data} is not in {where}: run `python -m freezebench fetch` once with network"
        return True, str(folder)
    state = hub_state(model, data)
    if state.available:
        return True, state.reason
    commands = [] if state.model_cached else [download_command(model)]
    commands += [] if state.data_cached else [download_command(data, is_dataset=True)]
    return False, f"{state.reason}: run {' and '.join(f'`{command}`' for command in commands)} once with network"
