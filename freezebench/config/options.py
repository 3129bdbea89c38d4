"""The one table of options, from which the command line, the ini keys, the marker's arguments and the docs are made."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from freezebench.config import parsers as readers
from freezebench.errors import SettingsError, SpecError
from freezebench.specs.names import ENGINES, ISOLATIONS, PRECISIONS, PREFIX_MODES, PRESET_NAMES

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, kw_only=True)
class Option:
    """One option.

    Attributes:
        name: Name in Python, in the marker, and, with dashes or underscores, in flag and ini key.
        metavar: What ``pytest --help`` shows for the value.
        help: What the option does, with its unit and default.
        read: Returns the value of a text; raises ``SettingsError`` or ``SpecError`` with the reason.
        session_wide: Whether it holds for the whole session, so that no ``freeze`` marker can set it for its test.
        is_switch: Whether the flag stands alone and means yes.
    """

    name: str
    metavar: str
    help: str
    read: Callable[[str], Any]
    session_wide: bool = False
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


OPTIONS: tuple[Option, ...] = (
    Option(
        name="grid",
        metavar="GRID",
        read=readers.grid,
        help="configurations to compare: 'all' (the whole ladder of the model), one freeze spec, or a comma-separated "
        "list; a spec is none, emb, L3, L0-3, head, or parts joined by '+' (default: the test's marker, else all)",
    ),
    Option(
        name="preset",
        metavar="NAME",
        read=readers.choice(*PRESET_NAMES),
        help=f"complete experiment: {', '.join(PRESET_NAMES)} (default: distilbert-sst2 with a CUDA GPU and its Hub "
        "assets reachable or cached, else embedded)",
    ),
    Option(
        name="model",
        metavar="MODEL",
        read=readers.text,
        help="model to fine-tune: a Hub name, a checkpoint folder, 'embedded', or module:factory "
        "(default: the preset's)",
    ),
    Option(
        name="data",
        metavar="DATA",
        read=readers.text,
        help="data set: a Hub name (or name:config), a folder with train, validation and test files (.jsonl, .json, "
        ".csv, .tsv, .parquet), one such file, or 'generated' (default: the preset's)",
    ),
    Option(
        name="text_column",
        metavar="COLUMN",
        read=readers.columns,
        help="column of the sentences; two, separated by a comma, for sentence pairs (default: text)",
    ),
    Option(name="label_column", metavar="COLUMN", read=readers.text, help="column of the labels (default: label)"),
    Option(
        name="num_seeds",
        metavar="K",
        read=readers.looks,
        help="seeds per configuration: one number, or 3,5,8 to judge after 3, 5 and 8 seeds and stop as soon as the "
        "configuration is decided; one seed gives figures and no verdict (default: the preset's)",
    ),
    Option(
        name="seed",
        metavar="SEED",
        read=readers.seed,
        help="the first seed; the others are SEED + 1, SEED + 2, … (default: 42)",
    ),
    Option(
        name="epochs",
        metavar="N",
        read=readers.whole(1, "the number of epochs"),
        help="passes over the training sentences (default: the preset's)",
    ),
    Option(
        name="batch_size",
        metavar="N",
        read=readers.whole(1, "the batch size"),
        help="sentences per training step (default: the preset's)",
    ),
    Option(
        name="lr",
        metavar="RATE",
        read=readers.learning_rates,
        help="learning rate, one number or per configuration: 5e-5,emb+L0-5:1e-3 (default: the preset's)",
    ),
    Option(
        name="max_train",
        metavar="N",
        read=readers.whole(2, "the number of training sentences"),
        help="train on at most N sentences, drawn once, class by class (default: all)",
    ),
    Option(
        name="max_length",
        metavar="N",
        read=readers.whole(4, "the longest input in tokens"),
        help="cut inputs to N tokens (default: what model and tokenizer allow)",
    ),
    Option(
        name="engine",
        metavar="ENGINE",
        read=readers.choice(*ENGINES),
        help="standard (freezebench's loop), cached (the same, but a frozen prefix is computed once for all "
        "configurations and seeds) or trainer (the Transformers Trainer) (default: the preset's)",
    ),
    Option(
        name="prefix_mode",
        metavar="MODE",
        read=readers.choice(*PREFIX_MODES),
        help="dropout in frozen embeddings and layers: eval turns it off, which is what can be cached, train leaves it "
        "on, as the notebook does (default: eval with the engine cached, else train)",
    ),
    Option(
        name="prefix_cache",
        metavar="DIR",
        read=readers.text,
        session_wide=True,
        help="keep outputs of frozen prefixes in this folder and use what earlier sessions left there, verified "
        "(default: they end with the session)",
    ),
    Option(
        name="prefix_cache_size",
        metavar="SIZE",
        read=readers.size,
        session_wide=True,
        help="let that folder grow to this size; what was used longest ago makes room (default: 10GiB)",
    ),
    Option(
        name="cache_memory",
        metavar="SIZE",
        read=readers.size,
        session_wide=True,
        help="keep outputs of frozen prefixes in memory up to this size, such as 512MiB or 4GiB, and beyond it in "
        "memory-mapped temporary files (default: 128MiB)",
    ),
    Option(
        name="device",
        metavar="DEVICE",
        read=readers.device,
        help="auto, cpu, cuda or cuda:N (default: auto, a CUDA GPU where there is one)",
    ),
    Option(
        name="precision",
        metavar="FORMAT",
        read=readers.choice(*PRECISIONS),
        help="auto (bf16 where the hardware has it, else float32), float32 or bf16 (default: the preset's)",
    ),
    Option(
        name="margin",
        metavar="POINTS",
        read=readers.points,
        help="a depth counts as safe if its accuracy drop is shown to be below this many percentage points; "
        "decides the deepest safe prefix, never fails a test (default: 2)",
    ),
    Option(
        name="max_drop",
        metavar="POINTS",
        read=readers.points_per_spec,
        help="assert that freezing costs less accuracy than this many percentage points, one number or per "
        "configuration: 2,emb+L0-4:5 (default: the preset's or marker's limits; none for your own model or data)",
    ),
    Option(
        name="pool_seeds",
        metavar="YES",
        read=readers.yes_or_no,
        is_switch=True,
        help="estimate the variance between seeds over all configurations together, assuming that it is the same "
        "(default: each configuration by itself)",
    ),
    Option(
        name="min_speedup",
        metavar="TIMES",
        read=readers.per_spec(1.01, 1000, "the speed-up is how many times as fast as without freezing"),
        help="require that freezing trains at least this many times as fast as no freezing, one number or per "
        "configuration: emb+L0-3:1.5; interleaves 5 runs with 5 unfrozen ones (default: nothing is required)",
    ),
    Option(
        name="min_energy_saving",
        metavar="PERCENT",
        read=readers.SAVING,
        help="require that freezing saves this much of the energy of training, likewise (default: nothing is required)",
    ),
    Option(
        name="min_memory_saving",
        metavar="PERCENT",
        read=readers.SAVING,
        help="require that freezing saves this much of the peak memory (default: nothing is required)",
    ),
    Option(
        name="max_time",
        metavar="TIMES",
        read=readers.RATIO,
        help="with --benchmark-compare: assert that training takes at most this many times as long as in the saved "
        "run, one number or per configuration: 1.05,emb:1.1; needs 5 seeds on both sides (default: only shown)",
    ),
    Option(
        name="max_energy",
        metavar="TIMES",
        read=readers.RATIO,
        help="with --benchmark-compare: likewise for the energy of training (default: shown, not asserted)",
    ),
    Option(
        name="max_memory",
        metavar="TIMES",
        read=readers.RATIO,
        help="with --benchmark-compare: likewise for peak memory, by plain tolerance: 1.01 (default: shown, not "
        "asserted)",
    ),
    Option(
        name="inconclusive",
        metavar="POLICY",
        read=readers.policies,
        help="outcome of a test whose limits the evidence cannot decide: skip, pass or fail, one word or per "
        "configuration: skip,emb+L0-5:pass (default: skip)",
    ),
    Option(
        name="plan",
        metavar="YES",
        read=readers.yes_or_no,
        session_wide=True,
        is_switch=True,
        help="show which runs, seeds and steps are planned, which of them are finished already, and how long the "
        "others take by saved runs, then stop before any test runs",
    ),
    Option(
        name="report",
        metavar="DIR",
        read=readers.text,
        session_wide=True,
        help="write the report to DIR: index.html with its pictures, report.md, report.csv, and report.json with "
        "everything per run",
    ),
    Option(
        name="store",
        metavar="DIR",
        read=readers.text,
        session_wide=True,
        help="keep every finished run as a file in DIR, and reuse it in later sessions with the same model, data, "
        "options, versions and kind of device (default: the folder freezebench in pytest's cache folder)",
    ),
    Option(
        name="resume",
        metavar="YES",
        read=readers.yes_or_no,
        session_wide=True,
        help="yes reuses the finished runs of earlier sessions, no trains all anew (default: yes, but no with "
        "--benchmark-compare)",
    ),
    Option(
        name="isolate",
        metavar="HOW",
        read=readers.choice(*ISOLATIONS),
        session_wide=True,
        help="where runs train: worker (a process of their own, replaced after a fault), run (a fresh process for "
        "every run) or none (in pytest's process, for debugging) (default: worker)",
    ),
    Option(
        name="timeout",
        metavar="DURATION",
        read=readers.duration,
        session_wide=True,
        help="end a run that takes longer, such as 90s, 30min or 2h, and call it invalid (default: 24h)",
    ),
)

BY_NAME = {option.name: option for option in OPTIONS}


def in_ci() -> bool:
    """Return whether this runs under continuous integration: nobody is watching, so nothing is decided quietly."""
    return os.environ.get("CI", "").lower() not in ("", "0", "false")
