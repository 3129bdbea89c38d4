"""What the written test trains: the model and the data of the project, else those that freezebench has itself."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from freezebench.cli.init.columns import UnclearColumnsError, spec_of_data
from freezebench.cli.init.freeze_test import (
    Argument,
    data_arguments,
    dropped_rows,
    fallback_data_arguments,
    limit_argument,
    model_arguments,
    read_data,
)
from freezebench.cli.init.search import Sources, find_sources
from freezebench.data import reviews
from freezebench.data.label_lists import joined_classes
from freezebench.data.missing_labels import NUMBER
from freezebench.data.values import short
from freezebench.errors import DataError, SettingsError
from freezebench.models.source import ModelSource
from freezebench.planning.design import check_num_sentences, check_test_labels
from freezebench.report.label_text import label_sentences
from freezebench.scoring.metrics import metric_of
from freezebench.units import listed

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from freezebench.data.load import TextData
    from freezebench.specs.data import DataSpec
    from freezebench.specs.names import TaskName

FALLBACK_MODEL = "embedded"
_FALLBACK_TASK = "sequence-classification"
_MOST_NAMED = 5
# Each of them is read as a whole.
_MOST_READ = 10


@dataclass(frozen=True, kw_only=True)
class Given:
    """What the command line says of the experiment; ``None``: it is to be found.

    Attributes:
        model: A model, as ``--freeze-model`` takes it.
        data: A data set, as ``--freeze-data`` takes it.
        text_columns: The columns of the texts.
        label_column: The column of the labels.
        task: What is learned.
    """

    model: str | None = None
    data: str | None = None
    text_columns: tuple[str, ...] | None = None
    label_column: str | None = None
    task: TaskName | None = None

    @property
    def options(self) -> tuple[str, ...]:
        """Names of the options that were given."""
        names = ("model", "data", "text_columns", "label_column", "task")
        given = [name for name in names if getattr(self, name) is not None]
        return tuple(f"--{name.replace('_', '-').removesuffix('s')}" for name in given)


@dataclass(kw_only=True)
class Experiment:
    """The experiment of a freeze test.

    Attributes:
        arguments: Arguments of its marker.
        found: What was found, by what it is.
        notes: What a person should know, in sentences.
        paths: The files and folders of the project that it reads.
    """

    arguments: list[Argument] = field(default_factory=list)
    found: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    paths: list[Path] = field(default_factory=list)


def choose_experiment(folder: Path, given: Given) -> Experiment:
    """Return the experiment of a project.

    Raises:
        FreezebenchError: If there are several models or data sets, or what was named or found cannot be used.
    """
    experiment = Experiment()
    sources = find_sources(folder) if given.model is None or given.data is None else Sources()
    model = _choose_model(folder, given, sources, experiment)
    data = _choose_data(folder, given, sources, model, experiment)
    experiment.arguments += limit_argument(experiment.arguments, data)
    return experiment


def _choose_model(folder: Path, given: Given, sources: Sources, experiment: Experiment) -> ModelSource:
    """Return the model, and add it to the experiment.

    Raises:
        FreezebenchError: If there are several, or it cannot be used.
    """
    refused = [f"{path_name(folder, path)} is not used: {why}" for path, why in sources.refused_models.items()]
    if given.model is None and len(sources.models) > 1:
        names = [path_name(folder, path) for path in sources.models]
        raise SettingsError(
            f"{folder} has {len(names)} checkpoints: {listed(names, _MOST_NAMED)}. Choose one with --model={names[0]}, "
            f"or none of them with --model={FALLBACK_MODEL}."
        )
    found = sources.models[0] if given.model is None and sources.models else None
    path = found if given.model is None else _existing(folder, given.model)
    name = given.model or FALLBACK_MODEL if path is None else path_name(folder, path)
    model = ModelSource.resolve(name if path is None else str(path))
    model.check()
    num_layers = model.num_layers
    kinds = {"embedded": "the bundled MiniLM-L6", "factory": "a function of yours"}
    kind = kinds.get(model.kind) or str(model.config.get("model_type"))
    source = "as --model says" if given.model is not None else "a checkpoint" if found else "no checkpoint was found"
    experiment.found["model"] = f"{name}: {kind}, {num_layers} layers ({source})"
    experiment.arguments += model_arguments(name, num_layers)
    experiment.paths += [] if path is None else [path]
    experiment.notes += refused if given.model is None else []
    return model


def _choose_data(
    folder: Path, given: Given, sources: Sources, model: ModelSource, experiment: Experiment
) -> TextData | None:
    """Add the data set to the experiment, and return it if it was read.

    Raises:
        FreezebenchError: If there are several, or it cannot be used.
    """
    path, spec = _found_data(folder, given, sources, experiment)
    if path is not None and spec is not None:
        spec = replace(spec, task=given.task)
        data, name = _read_data(spec, model, given), path_name(folder, path)
        experiment.found["data"] = _data_text(name, spec, data)
        experiment.found["task"] = _task_text(given, model, data)
        experiment.arguments += data_arguments(name, spec, data)
        experiment.paths.append(path)
        if path.is_file():
            experiment.notes.append(
                f"Test sentences: {len(data.test):,}, drawn from {name}. A folder with a train and a test file in its "
                "place can have more of them, so that fewer verdicts are inconclusive."
            )
        experiment.notes += label_sentences(data.facts, metric_of(None, data.task, data.facts.label_names))
        if data.facts.dropped_rows:
            experiment.notes.append(
                f"Rows of {name} that cannot be used: {dropped_rows(data)}. bad_rows in the test leaves them out. "
                f"Delete that line, and a session lists them.{_no_label_text(spec, data)}"
            )
        return data
    if given.data is None or given.data == reviews.SOURCE:
        unused = "no file could be used, see the notes" if sources.data else "no data set was found"
        source = unused if given.data is None else "as --data says"
        if given.task not in {None, _FALLBACK_TASK}:
            raise SettingsError(
                f"--task={given.task} does not fit the data, {reviews.SOURCE}, which are for {_FALLBACK_TASK}. Give "
                "--data=PATH."
            )
        experiment.found["data"] = f"{reviews.SOURCE}: sentences of movie reviews ({source})"
        experiment.arguments += fallback_data_arguments()
    else:
        experiment.found["data"] = f"{given.data} (as --data says; it is not read now)"
        experiment.arguments += _unread_arguments(given)
    return None


def _read_data(spec: DataSpec, model: ModelSource, given: Given) -> TextData:
    """Return a local data set.

    Raises:
        DataError: If it is not fit for training.
    """
    try:
        data = read_data(spec, model)
        check_num_sentences(spec, data.facts)
        check_test_labels(spec, data.facts)
    except DataError as error:
        if given.data is not None:
            raise
        raise _of_unnamed(error) from error
    return data


def _of_unnamed(error: DataError) -> DataError:
    """Return the error of a file that nobody named: it may be there for another purpose."""
    return DataError(f"{error} To train on other data: give --data={reviews.SOURCE}, or a path.")


def _found_data(
    folder: Path, given: Given, sources: Sources, experiment: Experiment
) -> tuple[Path | None, DataSpec | None]:
    """Return the local data set that was named, or the only one that was found, with its columns.

    Raises:
        FreezebenchError: If there are several, or what was named cannot be read.
    """
    if given.data is not None:
        path = _existing(folder, given.data)
        return path, None if path is None else spec_of_data(path, given.text_columns, given.label_column)
    if len(sources.data) > _MOST_READ:
        raise _several(folder, sources.data, "files and folders that may be data")
    specs: dict[Path, DataSpec] = {}
    refused: dict[Path, DataError] = {}
    for path in sources.data:
        try:
            specs[path] = spec_of_data(path, given.text_columns, given.label_column)
        except DataError as error:
            # A file without texts or labels is there for another purpose. Of all others, a person has to know.
            if not isinstance(error, UnclearColumnsError) or error.is_choice:
                refused[path] = error
            experiment.notes.append(f"{path_name(folder, path)} is not used: {error}")
    # Data of which a person has to choose the columns are data, too.
    unclear = [path for path, error in refused.items() if isinstance(error, UnclearColumnsError)]
    if specs and len(specs) + len(unclear) > 1:
        raise _several(folder, [path for path in sources.data if path in specs or path in unclear], "data sets")
    if refused and not specs:
        raise _of_unnamed(next(iter(refused.values())))
    return next(iter(specs.items()), (None, None))


def _several(folder: Path, paths: Iterable[Path], kind: str) -> SettingsError:
    """Return the error on several data sets, of which none was named."""
    names = [path_name(folder, path) for path in paths]
    return SettingsError(
        f"{folder} has {len(names)} {kind}: {listed(names, _MOST_NAMED)}. Choose one with --data={names[0]}, or none "
        f"of them with --data={reviews.SOURCE}."
    )


def _no_label_text(spec: DataSpec, data: TextData) -> str:
    """Return how texts that have none of several labels are kept; empty where there are none in lists."""
    kinds = {kind for counts in (data.facts.dropped_rows or {}).values() for kind in counts}
    if data.task != "multi-label" or "no_label" not in kinds or len(spec.label_columns) > 1:
        return ""
    return " A text that has none of the labels is kept if [] is written there, an empty list."


def _unread_arguments(given: Given) -> list[Argument]:
    """Return the arguments of a data set of the Hub, as they were given."""
    texts = ",".join(given.text_columns or ())
    values = {"data": given.data, "text_column": texts, "label_column": given.label_column, "task": given.task}
    return [Argument(name=name, value=value) for name, value in values.items() if value]


def _existing(folder: Path, name: str) -> Path | None:
    """Return the file or folder of a project that a name denotes; ``None`` if there is none."""
    path = folder / name
    try:
        return path if name.strip() and path.exists() else None
    except (OSError, ValueError):  # too long, or with a NUL
        return None


def path_name(folder: Path, path: Path) -> str:
    """Return how a path is named in the project: from its folder if it is in it."""
    if path == folder:
        return "."
    return f"./{path.relative_to(folder).as_posix()}" if path.is_relative_to(folder) else str(path)


def _data_text(name: str, spec: DataSpec, data: TextData) -> str:
    """Return a data set in words."""
    columns = f"text column{'s' * (len(spec.text_columns) > 1)} {' and '.join(map(repr, spec.text_columns))}"
    num_labels = len(spec.label_columns) if data.task == "multi-label" else 1
    label = f"label column{'s' * (num_labels > 1)} {spec.label_column!r}"
    groups = "" if spec.group_column is None else f", group column {spec.group_column!r}"
    sizes = f"{len(data.train):,} training, {len(data.validation):,} validation and {len(data.test):,} test sentences"
    return f"{name}: {columns}, {label}{groups}; {sizes}"


def _task_text(given: Given, model: ModelSource, data: TextData) -> str:
    """Return the task, where it comes from, and how to change it."""
    if given.task is not None:
        return f"{given.task} (as --task says)"
    why = "by the labels" if model.task is None else "the model's head was fine-tuned for it"
    other = "--task=TASK takes another one"
    if data.task == _FALLBACK_TASK and all(map(NUMBER.fullmatch, data.label_names)):
        other = "if the numbers of the labels are amounts, such as stars, give --task=regression"
    joined = joined_classes(data.label_names) if data.task == _FALLBACK_TASK else None
    if joined is not None:
        other = f"if labels such as {short(joined[1][0])} are several, give --task=multi-label"
    return f"{data.task} ({why}; {other})"
