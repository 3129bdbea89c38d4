"""``--freeze-save``: the model of every recommended configuration, saved after the last test."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from freezebench.errors import FreezebenchError
from freezebench.pytest_plugin.options import freeze_session

# The rest is imported when a model is saved: most pytest sessions have no freeze tests.
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from freezebench.config.settings import Settings
    from freezebench.records.model_folder import ModelFolder
    from freezebench.report.rows import Row
    from freezebench.report.saved_model import SavedModel, SavingOutcome
    from freezebench.report.summary import Summary
    from freezebench.session import FreezeSession
    from freezebench.specs.run import RunSpec

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_MAX_NAME = 80
# Such a test is not known to train before it does, so that no folder was checked for it.
_UNPLANNED = (
    "--freeze-save: the model of an experiment was not saved: its tests request freeze_run while they run. Give "
    "them the argument freeze_run."
)

_SAVER = pytest.StashKey["ModelSaver"]()


class ModelSaver:
    """Saves the models of one session.

    Attributes:
        outcomes: What became of the model of each experiment, by its settings; empty until the last test has ended.
        has_ended: Whether all of them were considered.
    """

    def __init__(self, session: FreezeSession, root: Path) -> None:
        """Take the session, and the folder of ``--freeze-save``."""
        self.outcomes: dict[Settings, SavingOutcome] = {}
        self.has_ended = False
        self._session, self._root = session, root
        self._folders: dict[Settings, ModelFolder] = {}

    def check(self, planned: Iterable[tuple[Settings, str]]) -> None:
        """Check before training that the model of every experiment can be saved.

        Raises:
            FreezebenchError: If one cannot.
        """
        from freezebench.records.model_folder import ModelFolder

        experiments = {settings.of_table: settings for settings, _ in planned}
        names = folder_names([settings.experiment for settings in experiments.values()])
        for (key, settings), name in zip(experiments.items(), names, strict=True):
            self._folders[key] = ModelFolder(self._root, name)
            self._folders[key].check(self._num_bytes(settings))

    def save(self, summaries: Sequence[tuple[Settings, Summary]], on_start: Callable[[RunSpec], None]) -> None:
        """Train and save the model of every recommended configuration.

        Args:
            summaries: The results of every experiment, with its settings.
            on_start: Called with every run before it is trained again.
        """
        from freezebench.report.recommendation import recommended
        from freezebench.report.saved_model import SavingOutcome

        for settings, summary in summaries:
            folder = self._folders.get(settings.of_table)
            if folder is None:
                self.outcomes[settings] = SavingOutcome(sentence=_UNPLANNED, is_failure=True)
                continue
            recommendation = recommended(summary.results, summary.rows)
            if recommendation is None:
                self.outcomes[settings] = SavingOutcome(sentence=_nothing_sentence(folder.path))
                continue
            try:
                saved = self._save(summary, recommendation, folder, on_start)
            except Exception as error:  # noqa: BLE001 - hours of training must not end in an error of saving
                sentence = (
                    f"--freeze-save: the model of {recommendation.freeze} was not saved: {_reason(error)}. Run the "
                    "session again: finished runs are reused."
                )
                self.outcomes[settings] = SavingOutcome(sentence=sentence, is_failure=True)
            else:
                self.outcomes[settings] = SavingOutcome(
                    sentence=saved.sentence(folder.path),
                    folder=str(folder.path),
                    freeze=saved.record.spec.freeze,
                    seed=saved.record.spec.seed,
                    is_reproduced=saved.is_reproduced,
                )
        self.has_ended = True

    def _save(self, summary: Summary, row: Row, folder: ModelFolder, on_start: Callable[[RunSpec], None]) -> SavedModel:
        """Train and save one model with its card.

        Raises:
            FreezebenchError: If the model cannot be trained or saved.
            OSError: If the folder cannot be written.
        """
        from freezebench.records.events import RunFinished
        from freezebench.report.model_card import model_card
        from freezebench.report.saved_model import ADAPTER_CONFIG, CARD_FILE, SavedModel

        recorded = min(row.records, key=lambda record: record.spec.seed)
        verdict = next(result.verdict for result in summary.results if result.freeze == row.freeze)
        if verdict is None:
            raise FreezebenchError(f"{row.freeze} was not judged")
        on_start(recorded.spec)
        with folder.replaced() as staging:
            record = self._session.save_model(recorded.spec, staging)
            self._session.on_event(RunFinished(record=record))
            if not record.is_valid:
                raise FreezebenchError(f"its run was trained once more and is invalid: {record.reason}")
            model_name, base_model, class_name = self._names(record.spec, staging)
            saved = SavedModel(
                row=row,
                baseline=next(other for other in summary.rows if other.freeze == "none"),
                margin_pp=summary.margin_pp,
                alpha=verdict.alpha,
                recorded=recorded,
                record=record,
                model_name=model_name,
                base_model=base_model,
                class_name=class_name,
                has_base_name=self._kind(record.spec) in {"hub", "folder"},
                is_adapters=(staging / ADAPTER_CONFIG).exists(),
            )
            (staging / CARD_FILE).write_text(model_card(saved), encoding="utf-8")
        return saved

    def _num_bytes(self, settings: Settings) -> int | None:
        """Return how many bytes the pretrained weights take; ``None`` for a factory, which has no files."""
        from freezebench.models.weight_files import weight_files

        source = self._session.data_cache.model_source(settings.model)
        if source.kind == "factory":
            return None
        return sum(path.stat().st_size for path in weight_files(source.folder, source.name))

    def _kind(self, spec: RunSpec) -> str:
        """Return what the name of a run's pretrained model denotes."""
        return self._session.data_cache.model_source(spec.model, spec.model_revision).kind

    def _names(self, spec: RunSpec, saved: Path) -> tuple[str, str | None, str | None]:
        """Return what a card calls the pretrained model, its name on the Hub, and the class that loads the saved one.

        Args:
            spec: The run.
            saved: The folder with the saved model.
        """
        from freezebench.models import embedded

        source = self._session.data_cache.model_source(spec.model, spec.model_revision)
        match source.kind:
            case "hub":
                return spec.model, spec.model, None
            case "embedded":
                return f"{Path(embedded.HUB_NAME).name} in DistilBERT form", embedded.HUB_NAME, None
            case "folder":
                return Path(spec.model).expanduser().resolve().name, None, None
            case "factory":
                config = saved / "config.json"
                classes = json.loads(config.read_text(encoding="utf-8")).get("architectures") if config.exists() else ()
                return spec.model, None, str(classes[0]) if classes else "YourModel"


def make_saver(config: pytest.Config) -> ModelSaver | None:
    """Return the new saver of this pytest run; ``None`` without ``--freeze-save``."""
    session = freeze_session(config)
    folder = session.options.session_settings.save
    if folder is None:
        return None
    return ModelSaver(session, Path(folder))


def keep_saver(config: pytest.Config, saver: ModelSaver) -> None:
    """Let the summary say what becomes of the models, from the first test on: an error before it says enough."""
    config.stash[_SAVER] = saver


def saving_lines(config: pytest.Config) -> list[tuple[str, dict[str, bool]]]:
    """Return the summary's lines on saved models, each with its markup; none without ``--freeze-save``."""
    saver = config.stash.get(_SAVER, None)
    if saver is None:
        return []
    if not saver.outcomes:
        why = "no configuration was trained" if saver.has_ended else "the session was stopped before its end"
        return [(f"--freeze-save: nothing was saved, since {why}. Run all tests of the experiment.", {"yellow": True})]
    return [
        (outcome.sentence, {"red": True} if outcome.is_failure else {"yellow": outcome.is_reproduced is False})
        for outcome in saver.outcomes.values()
    ]


def folder_names(experiments: Sequence[RunSpec]) -> list[str | None]:
    """Return the subfolder of each experiment: model and data set, and part of a hash where these do not differ.

    Args:
        experiments: A run of each; of a single one, the model needs no subfolder.
    """
    if len(experiments) == 1:
        return [None]
    names = [_safe_name(f"{Path(spec.model).name}-{Path(spec.data.source).name}") for spec in experiments]
    num = Counter(names)
    names = [
        name if num[name] == 1 else f"{name}-{spec.experiment_id[:8]}"
        for name, spec in zip(names, experiments, strict=True)
    ]
    # Experiments that differ in margins alone have one hash.
    return [
        name if names.index(name) == index else f"{name}-{names[: index + 1].count(name)}"
        for index, name in enumerate(names)
    ]


def _safe_name(text: str) -> str:
    return _UNSAFE.sub("-", text).strip(".-")[:_MAX_NAME] or "model"


def _reason(error: Exception) -> str:
    """Return an error's message on one line; other errors than freezebench's may say little without their class."""
    kind = "" if isinstance(error, FreezebenchError) else f"{type(error).__name__}: "
    return kind + " ".join(str(error).split()).rstrip(".")


def _nothing_sentence(folder: Path) -> str:
    """Return why nothing was saved, and what an earlier session's model in the folder is."""
    earlier = "; the model there is from an earlier session" if folder.exists() and any(folder.iterdir()) else ""
    return (
        f"--freeze-save: nothing was saved to {folder}, since no configuration is recommended{earlier}. "
        "Read in the summary why."
    )
