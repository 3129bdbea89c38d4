"""The options by purpose, as the page of options lists them, each with an example of its value."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from freezebench.config.options import BY_NAME, OPTIONS

if TYPE_CHECKING:
    from freezebench.config.option import Option

# By heading, then by option: the value in the examples.
GROUPS: dict[str, dict[str, str]] = {
    "What is compared": {
        "grid": "none,emb,emb+L0-2",
        "preset": "embedded",
        "model": "./my-checkpoint",
        "num_seeds": "3,5",
        "seed": "7",
    },
    "Training and test data": {
        "data": "./my-reviews",
        "text_column": "review",
        "label_column": "stars",
        "task": "sequence-classification",
        "bad_rows": "drop",
        "max_train": "2000",
        "max_length": "128",
    },
    "Further test sets, slices and groups": {
        "test": "tweets=./my-tweets",
        "slice_column": "domain",
        "group_column": "document",
    },
    "How runs train": {
        "epochs": "3",
        "batch_size": "16",
        "lr": "5e-5,emb+L0-2:1e-4",
        "tune_lr": "0.3,1,3",
        "dropout": "no",
        "engine": "cached",
        "precision": "bf16",
        "prefix_mode": "eval",
        "batch_order": "shuffled",
    },
    "Metric, margin and verdict": {
        "metric": "macro-f1",
        "margin": "1.5",
        "pool_seeds": "yes",
        "claims": "yes",
    },
    "Limits that a test asserts": {
        "max_drop": "2,emb+L0-2:5",
        "max_slice_drop": "5",
        "max_test_drop": "5",
        "min_speedup": "emb+L0-2:1.5",
        "min_energy_saving": "emb+L0-2:20",
        "min_memory_saving": "emb+L0-2:10",
        "inconclusive": "fail",
    },
    "Comparison with a saved run": {
        "max_regression": "1",
        "max_time": "1.05",
        "max_energy": "1.05",
        "max_memory": "1.01",
        "anchor": "0001_release",
        "compare_across": "model,lr",
        "allow_unmatched": "emb",
    },
    "Devices and processes": {
        "device": "cuda:1",
        "devices": "cuda:0,cuda:1",
        "cluster": "auto",
        "cluster_resource": "accelerator_type:A100",
        "isolate": "run",
        "timeout": "30min",
    },
    "What a session does": {
        "plan": "yes",
        "budget": "2h",
        "resume": "no",
    },
    "What a session writes": {
        "report": "reports",
        "log": "mlflow,tensorboard",
        "save": "best-model",
        "store": "finished-runs",
    },
    "Cache of frozen prefixes": {
        "cache_memory": "512MiB",
        "prefix_cache": "prefixes",
        "prefix_cache_size": "20GiB",
    },
}

# Pages on what the options of a group are for.
GUIDES = {
    "What is compared": ("how-to/own-model", "how-to/search", "how-to/strategies", "how-to/several-models"),
    "Training and test data": ("how-to/own-data", "how-to/messy-data", "how-to/tasks"),
    "Further test sets, slices and groups": ("how-to/out-of-domain",),
    "How runs train": ("how-to/learning-rates", "how-to/time-memory-energy"),
    "Metric, margin and verdict": ("how-to/margin-and-seeds", "how-to/metrics"),
    "Limits that a test asserts": ("how-to/margin-and-seeds", "how-to/time-memory-energy"),
    "Comparison with a saved run": ("how-to/regression-gate",),
    "Devices and processes": ("how-to/gpu", "how-to/several-devices", "how-to/cluster"),
    "What a session does": ("how-to/resume", "how-to/ci"),
    "What a session writes": ("how-to/report", "how-to/export", "how-to/save-the-winner", "how-to/resume"),
    "Cache of frozen prefixes": ("explanation/prefix-cache", "how-to/resume"),
}

_DOCS = Path(__file__).parent
_DEFAULT = re.compile(r" \(default: (?P<default>.*)\)$", re.DOTALL)
_QUOTED = re.compile(r"(?<!\w)'([^'`]+)'(?!\w)")
_FLAG = re.compile(r"--freeze-[a-z-]*[a-z]|--benchmark-[a-z-]*[a-z]")


def option_groups() -> str:
    """Return a list of all options by group, each with a link to its section."""
    lines = []
    for heading, examples in GROUPS.items():
        links = ", ".join(f"[{_short(BY_NAME[name])}](#{_anchor(BY_NAME[name])})" for name in examples)
        lines.append(f"- **{heading}**: {links}")
    return "\n".join(lines)


def option_sections() -> str:
    """Return a section for every option: what it does, its default, and how each source sets it."""
    sections = []
    for heading, examples in GROUPS.items():
        sections += [f"## {heading}", "See " + " · ".join(map(_guide, GUIDES[heading]))]
        sections += [_section(BY_NAME[name], value) for name, value in examples.items()]
    return "\n\n".join(sections)


def example_flag(option: Option, value: str) -> str:
    """Return how the command line sets an option to a value."""
    return option.flag if option.is_switch else f"{option.flag}={_quoted(value)}"


def example_argument(option: Option, value: str) -> str:
    """Return how the marker sets an option to a value: with a number, a dictionary or a text of Python."""
    if option.takes_pairs:
        name, _, source = value.partition("=")
        return f'{option.name}={{"{name}": "{source}"}}'
    is_number = re.fullmatch(r"\d+(\.\d+)?", value) is not None
    return f"{option.name}={value}" if is_number else f'{option.name}="{value}"'


def _section(option: Option, value: str) -> str:
    usage = option.flag if option.is_switch else f"{option.flag}={option.metavar}"
    match = _DEFAULT.search(option.help)
    meaning = option.help[: match.start()] if match else option.help
    default = match["default"] if match else "no" if option.is_switch else "none"
    marker = "none: the option holds for the whole session"
    if not option.session_wide:
        marker = f"`@pytest.mark.freeze({example_argument(option, value)})`"
    return "\n".join(
        [
            f"### `{option.flag}` {{ #{_anchor(option)} }}",
            "",
            f"`{usage}`: {_linked(meaning, option).removesuffix('…')}" + ("…" if meaning.endswith("…") else "."),
            "",
            f"- default: {_linked(default, option)}",
            f"- command line: `{example_flag(option, value)}`",
            f"- ini file: `{option.ini} = {value}`",
            f"- marker: {marker}",
        ]
    )


def _guide(page: str) -> str:
    """Return a link to a page, with its title."""
    title = (_DOCS / f"{page}.md").read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")
    return f"[{title}](../{page}.md)"


def _anchor(option: Option) -> str:
    """Return the last part of the address of an option's section, which does not change with its heading."""
    return option.flag.removeprefix("--")


def _short(option: Option) -> str:
    """Return the name of an option without the prefix that all have, as code."""
    return f"`{option.flag.removeprefix('--freeze-')}`"


def _linked(text: str, own: Option) -> str:
    """Return a help text in Markdown: words in quotes and flags are code, and flags of other options are links."""
    anchors = {option.flag: _anchor(option) for option in OPTIONS if option is not own}

    def link(match: re.Match[str]) -> str:
        flag = match[0]
        return f"[`{flag}`](#{anchors[flag]})" if flag in anchors else f"`{flag}`"

    return _FLAG.sub(link, _QUOTED.sub(r"`\1`", text))


def _quoted(value: str) -> str:
    """Return a value as a shell takes it."""
    return f'"{value}"' if re.search(r"[()|*; ]", value) else value
