"""Words that options take, apart from what they stand for, so that pytest's start-up need not load that."""

PRESET_NAMES = ("distilbert-sst2", "embedded", "notebook")
ENGINES = ("standard", "cached", "trainer")
PREFIX_MODES = ("eval", "train")
PRECISIONS = ("auto", "float32", "bf16")
