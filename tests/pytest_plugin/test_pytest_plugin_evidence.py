"""What verdicts rest on, in whole sessions: distinct test texts, and models that begin alike."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tiny import sentences, write_data

Project = Callable[..., pytest.Pytester]


def _repeated(folder: Path, times: int) -> Path:
    """Write data whose test file has 20 texts, each several times, spelled differently."""
    write_data(folder)
    examples = list(dict(sentences(60, 2, 2)).items())[:20]
    spelled = [
        {"text": text.upper() if number % 2 else f" {text}", "label": label}
        for number in range(times)
        for text, label in examples
    ]
    (folder / "test.jsonl").write_text("\n".join(map(json.dumps, spelled)), encoding="utf-8")
    return folder


@pytest.mark.slow
def test_copies_of_test_sentences_decide_nothing(project: Project, tmp_path: Path) -> None:
    """Twenty texts thirty times leave undecided what 600 texts would have decided; a note and the plan say so."""
    data = _repeated(tmp_path / "data", 30)
    session = project("grid='none,L0', num_seeds=2, max_drop=5")
    result = session.runpytest_inprocess("-rs", f"--freeze-data={data}")
    result.assert_outcomes(passed=1, skipped=1)
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        [
            "freezebench: smallest margin that 600 test sentences (20 distinct) can show (80 % power): *",
            "*48 training and 600 test sentences (20 distinct)*",
            "Repeats: 580 of 600 test examples repeat another one's text, * Intervals count the 20 distinct texts.",
            "*INCONCLUSIVE: L0 is not shown to be within 5 points of no freezing: *, 2 seeds; *",
        ]
    )
    assert sum("Repeats: " in line for line in result.outlines) == 1


def test_one_text_is_no_test_set(project: Project, tmp_path: Path) -> None:
    """It is refused before training, however often it is repeated."""
    data = write_data(tmp_path / "data")
    line = json.dumps({"text": "a bright film", "label": 1})
    (data / "test.jsonl").write_text("\n".join([line] * 40), encoding="utf-8")
    result = project().runpytest_inprocess(f"--freeze-data={data}")
    assert result.ret == 4
    result.stderr.fnmatch_lines(
        [f"ERROR: {data} has 40 test sentences (1 distinct): an interval needs at least 2 different ones. *"]
    )


FACTORY = """
import pytest, torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer, DistilBertConfig

def random_encoder(num_labels):
    config = DistilBertConfig.from_pretrained({model!r}, num_labels=num_labels)
    return AutoModelForSequenceClassification.from_config(config), AutoTokenizer.from_pretrained({model!r})

def declared(num_labels, seed):
    torch.manual_seed(seed)
    return random_encoder(num_labels)

random_encoder.num_layers = declared.num_layers = 2

@pytest.mark.freeze(
    model="test_factories:{name}", data={data!r}, grid="none,emb", num_seeds=2, device="cpu", precision="float32",
    epochs=8, lr=1e-2, batch_size=8,
)
def test_it(freeze_run):
    freeze_run()
"""


@pytest.mark.parametrize("name", ["random_encoder", "declared"])
def test_an_encoder_that_depends_on_the_seed_is_declared(
    project: Project, tiny_model: Path, tiny_data: Path, name: str
) -> None:
    """It is refused before training, unless the factory takes the seed."""
    pytester = project()
    pytester.makepyfile(test_factories=FACTORY.format(model=str(tiny_model), data=str(tiny_data), name=name))
    pytester.syspathinsert()
    result = pytester.runpytest_inprocess("test_factories.py")
    if name == "declared":
        # Whether a random encoder learns much in a few steps does not matter here.
        result.stdout.fnmatch_lines(["*emb seed 42: test accuracy *", "*none seed 43: test accuracy *"])
        result.stdout.no_fnmatch_line("*inputs_changed*")
        result.stdout.no_fnmatch_line("*returned another*")
        return
    assert result.ret == 4
    refusal = "ERROR: the factory test_factories:random_encoder returned another encoder for seed 43 than for seed 42"
    advice = "only the head and adapters may depend on the seed. *def factory(num_labels, seed)."
    result.stderr.fnmatch_lines([f"{refusal} (first difference: distilbert.embeddings.*): {advice}"])
