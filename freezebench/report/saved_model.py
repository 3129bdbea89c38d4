"""A model that was saved, as its card and the reports need it, and what became of each experiment's model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from freezebench.report.task_usage import USAGE

if TYPE_CHECKING:
    from pathlib import Path

    from freezebench.records.run_record import RunRecord
    from freezebench.report.rows import Row

CARD_FILE = "README.md"
ADAPTER_CONFIG = "adapter_config.json"  # PEFT's


@dataclass(frozen=True, kw_only=True)
class SavedModel:
    """A model that was saved: the recommended configuration's of one seed.

    Attributes:
        row: The figures of the configuration over its seeds.
        baseline: Those of no freezing.
        margin_pp: Decision margin in percentage points.
        alpha: Error rate of each bound of the drop.
        recorded: The run that the figures contain.
        record: The same run, trained again to be saved.
        model_name: What the card calls the pretrained model.
        base_model: Its name on the Hub; ``None`` for a folder or a factory.
        class_name: Name of the class that loads the model; ``None``: transformers finds it.
        has_base_name: Whether transformers loads the pretrained model by its name or folder.
        is_adapters: Whether adapters and the head were saved, by PEFT, in place of the whole model.
    """

    row: Row
    baseline: Row
    margin_pp: float
    alpha: float
    recorded: RunRecord
    record: RunRecord
    model_name: str
    base_model: str | None = None
    class_name: str | None = None
    has_base_name: bool = True
    is_adapters: bool = False

    @property
    def is_reproduced(self) -> bool:
        """Whether the saved model predicts for every test sentence what the recorded run predicted."""
        before, now = self.recorded.test, self.record.test
        if before is None or now is None:
            return False
        # In regression the scores are the predictions.
        return before.predictions == now.predictions and (bool(now.predictions) or before.scores == now.scores)

    @property
    def label(self) -> str:
        """Freeze spec and seed."""
        return f"{self.record.spec.freeze}, seed {self.record.spec.seed}"

    def sentence(self, folder: Path) -> str:
        """Return where the model is and what loads it; a warning if it is not exactly the recorded one."""
        loader = self.class_name or USAGE[self.row.task].auto_class
        what, how = "model", f"{loader}.from_pretrained loads it"
        if self.is_adapters:
            what = "adapters"
            how = (
                "peft.PeftModel.from_pretrained loads them onto the pretrained model, and merge_and_unload merges them"
            )
        sentence = f"--freeze-save: saved the {what} of {self.label}, to {folder}; {how}."
        if self.is_reproduced:
            return sentence
        return (
            f"{sentence} Warning: it does not predict exactly what the recorded run did. Read its own figures in "
            f"{folder / CARD_FILE}."
        )


@dataclass(frozen=True, kw_only=True)
class SavingOutcome:
    """What became of the model of one experiment, for summary and report.

    Attributes:
        sentence: What was saved and how to load it, or why nothing was saved.
        folder: Absolute path of the folder; ``None`` if nothing was saved, and so for the other fields.
        freeze: Canonical id of the freeze spec.
        seed: Its seed.
        is_reproduced: Whether the model predicts what the recorded run predicted.
        is_failure: Whether a model should have been saved and was not.
    """

    sentence: str
    folder: str | None = None
    freeze: str | None = None
    seed: int | None = None
    is_reproduced: bool | None = None
    is_failure: bool = False
