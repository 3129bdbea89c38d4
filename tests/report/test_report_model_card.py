"""The model card: a header that the Hub reads, the figures of record and row, and no way for names to break either."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from huggingface_hub import ModelCard

import made_up
import made_up_tasks
from freezebench.records.run_record import RunRecord
from freezebench.report.model_card import model_card
from freezebench.report.rows import row
from freezebench.report.saved_model import SavedModel
from freezebench.scoring.metrics import metric_of
from freezebench.specs.data import DataSpec
from freezebench.verdicts.judge import judge
from freezebench.verdicts.metric_values import metric_value

if TYPE_CHECKING:
    from freezebench.specs.names import TaskName


def _saved(**changes: Any) -> SavedModel:
    """Return a made-up saved model of two classes."""
    baseline, records = made_up.seeds("none"), made_up.seeds("emb")
    results = [judge(freeze, runs, baseline, margin_pp=2.0, limit_pp=None) for freeze, runs in _arms(baseline, records)]
    values = {
        "row": row(results[1]),
        "baseline": row(results[0]),
        "margin_pp": 2.0,
        "alpha": 0.05,
        "recorded": records[0],
        "record": records[0],
        "model_name": "distilbert/distilbert-base-uncased",
        "base_model": "distilbert/distilbert-base-uncased",
    }
    return SavedModel(**{**values, **changes})


def _arms(baseline: list[RunRecord], records: list[RunRecord]) -> list[tuple[str, list[RunRecord]]]:
    return [("none", baseline), ("emb", records)]


def _header(card: str) -> Any:
    """Return the header, as the Hub's own library reads it."""
    return ModelCard(card).data


def _figures(card: str) -> dict[str, str]:
    """Return the tables' values by their names."""
    rows = [line.strip("|").split(" | ") for line in card.splitlines() if line.startswith("| ")]
    return {cells[0].strip(): cells[1].strip() for cells in rows if len(cells) == 2}


def test_the_header_is_what_the_hub_reads() -> None:
    """Base model, tags, metrics and results parse with the Hub's own library, and the values are the record's."""
    saved = _saved()
    data = _header(model_card(saved))
    assert (data.base_model, data.library_name) == ("distilbert/distilbert-base-uncased", "transformers")
    assert data.pipeline_tag == "text-classification"
    assert "freezebench" in data.tags
    assert data.metrics == ["accuracy", "f1"]
    test = saved.record.test
    assert test is not None
    results = data.eval_results
    assert [(item.metric_type, item.metric_value) for item in results] == [("accuracy", test.accuracy), ("f1", test.f1)]
    assert {(item.dataset_name, item.dataset_split) for item in results} == {("made-up", "test")}


def test_the_figures_are_those_of_row_and_record() -> None:
    """Of this model, of the seeds, of the comparison, and of the training."""
    saved = _saved()
    figures = _figures(model_card(saved))
    test, candidate = saved.record.test, saved.row
    assert test is not None
    assert test.accuracy is not None
    assert candidate.accuracy is not None
    assert candidate.accuracy_sd is not None
    num_correct = sum(saved.record.test_correct)
    own = f"{100 * test.accuracy:.1f} % ({num_correct} of 400 sentences)"
    assert figures["test accuracy of this model (seed 42)"] == own
    over_seeds = f"{100 * candidate.accuracy:.1f} % ± {100 * candidate.accuracy_sd:.1f} points (standard deviation)"
    assert figures["test accuracy of emb"] == f"{over_seeds}, mean of 3 seeds"
    drop = f"{candidate.drop_pp:.2f} points, 90 % interval {candidate.lower_pp:.2f} to {candidate.upper_pp:.2f}"
    assert figures["accuracy drop against no freezing"].startswith(drop)
    assert figures["verdict"] == "non-inferior at a margin of 2 points"
    assert figures["training speed against no freezing"] == "2.00×, 90 % interval 2.00 to 2.00"
    assert figures["accuracy of the most frequent class"] == "50.0 %"
    assert figures["trained parameters"] == "700 of 1,000 (70.0 %)"
    assert figures["sentences"] == "100 training, 50 validation, 400 test"
    assert figures["classes"] == "0 = negative, 1 = positive"
    assert figures["freeze spec"] == "emb"
    assert figures["versions"] == "torch 2.13.0"


def test_bounds_of_several_looks_have_their_own_level() -> None:
    """Each look has its share of the error rate, so that the interval is wider than one of 90 %."""
    drop = _figures(model_card(_saved(alpha=0.0167)))["accuracy drop against no freezing"]
    assert " points, 97 % interval " in drop


def test_a_speed_up_is_claimed_only_where_it_was_shown() -> None:
    """Without a time the reason is given, with one pair there is no interval; one around 1 shows nothing."""
    plain = _saved()

    def speed(**changes: Any) -> str:
        card = model_card(replace(plain, row=replace(plain.row, **changes)))
        return _figures(card)["training speed against no freezing"]

    assert speed(speedup=None, speedup_reason="every pair was contended") == "not measured: every pair was contended"
    assert speed(speedup_lower=None, speedup_upper=None) == "2.00×, without an interval: one pair of runs"
    assert speed(speedup=1.1, speedup_lower=0.9, speedup_upper=1.3).endswith("0.90 to 1.30; not shown to differ from 1")


def test_a_model_that_was_not_reproduced_is_not_passed_off_as_the_recorded_one() -> None:
    """Its figures are its own, and the card says how it differs."""
    recorded = made_up.record("emb", 42)
    assert recorded.test is not None
    predictions = (1 - recorded.test.predictions[0], *recorded.test.predictions[1:])
    other = replace(recorded, test=replace(recorded.test, predictions=predictions, accuracy=0.5))
    saved = _saved(record=other)
    assert not saved.is_reproduced
    card = model_card(saved)
    assert "**This is not exactly the model of the comparison.**" in card
    assert "and 1 of its predictions for the test sentences differ" in card
    assert _header(card).eval_results[0].metric_value == 0.5
    assert "without exception" in model_card(_saved())


def test_names_cannot_break_the_card() -> None:
    """Quotes, markup, line breaks and signs of any script stay text in header and tables."""
    name = 'a"b: [c]|`*<x>\n---\u2028\x85é😀'
    record = made_up.record("emb", 42)
    assert record.data is not None
    record = replace(
        record,
        spec=replace(record.spec, data=DataSpec(source=name)),
        data=replace(record.data, label_names=("bad | worse", "<b>good</b>")),
    )
    card = model_card(_saved(record=record, model_name=name))
    data = _header(card)
    assert data.eval_results[0].dataset_name == name
    assert data.model_name == f"{name} emb"
    assert card.count("\n---\n") == 1
    assert r"0 = bad \| worse, 1 = &lt;b&gt;good&lt;/b&gt;" in card
    assert "\n".join(card.split("\n---\n")[1:]).isprintable() is False  # only for its line breaks
    assert all(line.isprintable() for line in card.split("\n"))


def test_another_number_format_than_the_loaded_models_is_a_limit() -> None:
    """The run was evaluated in bf16; from_pretrained loads float32."""
    assert "bf16" not in model_card(_saved())
    card = model_card(_saved(record=replace(made_up.record("emb", 42), precision="bf16")))
    assert "- The run computed in bf16, with weights in float32." in card


def test_folders_are_named_without_their_path(tmp_path: Path) -> None:
    """A card may be published; where its author keeps data is nobody else's business."""
    record = made_up.record("emb", 42)
    record = replace(record, spec=replace(record.spec, data=DataSpec(source=str(tmp_path / "sentences"))))
    card = model_card(_saved(record=record))
    assert str(tmp_path) not in card
    assert _figures(card)["data set"] == "sentences"


def test_the_card_of_sentence_pairs_takes_two_lists() -> None:
    """The columns are named, whatever their names are; the code of a single sentence would train a worse model."""
    columns = ("premise", 'hypo`"\nthesis')
    record = made_up.record("emb", 42)
    record = replace(record, spec=replace(record.spec, data=replace(record.spec.data, text_columns=columns)))
    for is_adapters in (False, True):
        snippet = model_card(_saved(record=record, is_adapters=is_adapters)).split("```python\n")[1].partition("```")[0]
        compile(snippet, "README.md", "exec")
        assert 'tokenizer(["A first sentence."], ["A second one."], truncation=True' in snippet
        assert "# sentence pairs, as of the columns 'premise' and " in snippet


@pytest.mark.parametrize(("class_name", "loader"), [(None, "AutoModelForSequenceClassification"), ("Own", "Own")])
def test_the_card_shows_how_to_load_the_model(class_name: str | None, loader: str) -> None:
    """A factory's model by its own class; the snippet is Python."""
    card = model_card(_saved(class_name=class_name, base_model=None))
    assert "base_model" not in card
    snippets = [part.partition("```")[0] for part in card.split("```python\n")[1:]]
    assert len(snippets) == 2
    for snippet in snippets:
        compile(snippet, "README.md", "exec")
    assert f"model = {loader}.from_pretrained(folder)" in snippets[0]
    assert ("import AutoModel" in snippets[0]) == (class_name is None)
    assert 'freezebench.freeze(model, "emb")' in snippets[1]


def test_the_share_that_trains_counts_from_what_trains_without_freezing() -> None:
    """What the pretrained model has fixed is named apart from it."""
    baseline, records = (
        [replace(record, num_trainable_params=num) for record in made_up.seeds(freeze)]
        for freeze, num in (("none", 800), ("emb", 200))
    )
    rows = [
        row(judge(freeze, runs, baseline, margin_pp=2.0, limit_pp=None)) for freeze, runs in _arms(baseline, records)
    ]
    card = model_card(_saved(baseline=rows[0], row=rows[1], record=records[0], recorded=records[0]))
    assert _figures(card)["trained parameters"] == "200 of 800 (25.0 %); the pretrained model has 200 more fixed"


@pytest.mark.parametrize(
    ("task", "metric", "margin", "hub"),
    [
        ("regression", None, 2.0, ["pearsonr"]),
        ("regression", "rmse", 0.1, ["rmse"]),
        ("multi-label", None, 2.0, ["f1"]),
        ("token-classification", None, 2.0, ["seqeval"]),
        ("sequence-classification", "mcc", 2.0, ["matthews_correlation", "accuracy", "f1"]),
    ],
)
def test_the_card_of_another_task_or_metric(task: TaskName, metric: str | None, margin: float, hub: list[str]) -> None:
    """Its header has the metric by the name that the Hub knows; figures are the metric's, and code is the task's."""
    is_tokens = task == "token-classification"
    loader = "AutoModelForTokenClassification" if is_tokens else "AutoModelForSequenceClassification"
    results = made_up_tasks.results(task, metric, margin=margin)
    record = results[1].records[0]
    saved = _saved(row=row(results[1]), baseline=row(results[0]), record=record, recorded=record, margin_pp=margin)
    card = model_card(saved)
    header = _header(card)
    assert header.metrics == hub
    assert header.pipeline_tag == ("token-classification" if is_tokens else "text-classification")
    judged = metric_of(metric, task)
    (first, *_) = header.eval_results
    assert first.metric_value == pytest.approx(metric_value(record, judged))
    figures = _figures(card)
    assert figures["task"] == task
    assert figures["metric"].startswith(judged.label)
    assert f"{judged.label} drop against no freezing" in figures
    assert figures["verdict"].endswith(f"at a margin of {margin:g} {judged.drop_unit}")
    assert f"{loader}.from_pretrained(folder)" in card
    assert ("numbers of the test split (rating)" in figures) is (task == "regression")
    assert ("accuracy of the most frequent class" in figures) is (task == "sequence-classification")
    assert saved.is_reproduced
    assert loader in saved.sentence(Path("models"))


def test_other_numbers_are_another_model() -> None:
    """A run of regression has no classes to compare: its scores are what it predicts."""
    results = made_up_tasks.results("regression")
    own, other = (made_up_tasks.run("regression", "emb", 42, noise=noise) for noise in (0.5, 0.6))
    saved = _saved(row=row(results[1]), baseline=row(results[0]), record=other, recorded=own)
    assert not saved.is_reproduced
    assert "some of its predictions for the test sentences differ" in model_card(saved)
