"""How to use saved adapters."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

import made_up
import made_up_tasks
from freezebench.report.adapter_usage import adapter_usage
from freezebench.report.model_card import model_card
from freezebench.report.rows import row
from freezebench.report.saved_model import SavedModel
from freezebench.verdicts.judge import judge

if TYPE_CHECKING:
    from freezebench.specs.names import TaskName


def _saved(**changes: Any) -> SavedModel:
    """Return made-up adapters of two classes, saved from a run of a revision of a model on the Hub."""
    baseline, records = made_up.seeds("none"), made_up.seeds("emb+L0+lora(r=4)")
    rows = [
        row(judge(name, runs, baseline, margin_pp=2.0, limit_pp=None))
        for name, runs in (("none", baseline), ("emb+L0+lora(r=4)", records))
    ]
    record = replace(records[0], spec=replace(records[0].spec, model_revision="abc"))
    values = {"recorded": record, "record": record, "model_name": "org/model", "base_model": "org/model"}
    return SavedModel(
        **{
            "row": rows[1],
            "baseline": rows[0],
            "margin_pp": 2.0,
            "alpha": 0.05,
            "is_adapters": True,
            **values,
            **changes,
        }
    )


def test_the_card_says_what_was_added_and_what_it_belongs_to() -> None:
    """For the Hub in its header, for people in words, and as code that compiles."""
    card = model_card(_saved())
    assert 'library_name: "peft"' in card
    assert 'base_model_relation: "adapter"' in card
    assert "# org/model, trained with emb+L0+lora(r=4), fine-tuned" in card
    assert (
        "the embeddings and layer 0 kept the pretrained weights; it trains low-rank matrices beside weights, and the "
        "head. These are the adapters and the head of seed 42" in card
    )
    assert "revision=config.revision" in card
    assert "merge_and_unload()" in card
    for block in card.split("```python\n")[1:]:
        compile(block.partition("```")[0], "card", "exec")


@pytest.mark.parametrize("name", ["embedded", "my_models:make"])
def test_a_model_without_a_name_for_transformers_is_loaded_by_freezebench(name: str) -> None:
    """Neither the embedded checkpoint nor a factory's model can be loaded by from_pretrained."""
    record = _saved().record
    text = adapter_usage(_saved(record=replace(record, spec=replace(record.spec, model=name)), has_base_name=False))
    assert f"base, _ = freezebench.load_model('{name}', num_labels=2)" in text
    assert "AutoModel" not in text


@pytest.mark.parametrize(
    ("task", "shown"),
    [
        ("regression", 'num_labels=1, problem_type="regression", revision'),
        ("multi-label", 'num_labels=3, problem_type="multi_label_classification", revision'),
        ("token-classification", "AutoModelForTokenClassification.from_pretrained"),
    ],
)
def test_adapters_of_every_task_are_loaded_onto_its_head(task: TaskName, shown: str) -> None:
    """The code compiles, and names the class of transformers, its head and what the scores mean."""
    record = _saved().record
    data = made_up_tasks.run(task).data
    text = adapter_usage(_saved(record=replace(record, data=data)))
    assert shown in text
    own = adapter_usage(_saved(record=replace(record, data=data), has_base_name=False))
    assert f', task="{task}")' in own
    for block in [*text.split("```python\n")[1:], *own.split("```python\n")[1:]]:
        compile(block.partition("```")[0], "card", "exec")
