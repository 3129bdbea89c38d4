"""Words that options take, apart from what they stand for, so that pytest's start-up need not load that."""

from typing import Literal, get_args

Isolation = Literal["worker", "run", "none"]

PRESET_NAMES = ("distilbert-sst2", "embedded", "notebook")
ENGINES = ("standard", "cached", "trainer")
PREFIX_MODES = ("eval", "train")
PRECISIONS = ("auto", "float32", "bf16")
ISOLATIONS: tuple[str, ...] = get_args(Isolation)
