"""Models that come with part of their parameters fixed: what trains the same is not run, what trains is counted."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Project = Callable[..., pytest.Pytester]

# Factories as users write them; the tiny model is a DistilBERT of two layers.
FACTORIES = """
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer


def _load(num_labels):
    model = AutoModelForSequenceClassification.from_pretrained({model!r}, num_labels=num_labels)
    return model, AutoTokenizer.from_pretrained({model!r})


def frozen_encoder(num_labels):
    model, tokenizer = _load(num_labels)
    for parameter in model.base_model.parameters():
        parameter.requires_grad = False
    return model, tokenizer


def half_frozen(num_labels):
    model, tokenizer = _load(num_labels)
    for part in (model.distilbert.embeddings, model.distilbert.transformer.layer[0]):
        part.requires_grad_(False)
    return model, tokenizer


class Adapted(torch.nn.Module):
    def __init__(self, base):
        super().__init__()
        self.base = base
        self.down, self.up = torch.nn.Linear(base.in_features, 2), torch.nn.Linear(2, base.out_features)

    def forward(self, hidden):
        return self.base(hidden) + self.up(self.down(hidden))


def adapters_alone(num_labels):
    model, tokenizer = _load(num_labels)
    model.requires_grad_(False)
    for layer in model.distilbert.transformer.layer:
        layer.attention.v_lin = Adapted(layer.attention.v_lin)
        for part in (layer.attention.v_lin.down, layer.attention.v_lin.up):
            part.requires_grad_(True)
    return model, tokenizer


def nothing_trains(num_labels):
    model, tokenizer = _load(num_labels)
    return model.requires_grad_(False), tokenizer


for factory in (frozen_encoder, half_frozen, adapters_alone, nothing_trains):
    factory.num_layers = 2
"""
LADDER = ("none", "emb", "emb+L0", "emb+L0-1")


@pytest.fixture
def factory(project: Project, tiny_model: Path) -> Callable[..., pytest.Pytester]:
    """Make a project with one freeze test on a model that a factory of this file makes."""

    def make(name: str, marker: str = "num_seeds=2, margin=45") -> pytest.Pytester:
        pytester = project(marker)
        test = pytester.path / "test_project.py"
        test.write_text(test.read_text().replace(repr(str(tiny_model)), f"'my_models:{name}'"))
        pytester.makepyfile(my_models=FACTORIES.format(model=str(tiny_model)))
        return pytester

    return make


def _configurations(report: Path) -> dict[str, dict[str, Any]]:
    content = json.loads((report / "report.json").read_text())
    return {item["freeze"]: item for item in content["experiments"][0]["configurations"]}


def _reasons(result: pytest.RunResult) -> str:
    return "\n".join(line for line in result.outlines if line.startswith("SKIPPED"))


@pytest.mark.usefixtures("without_matplotlib")
def test_what_trains_the_same_is_not_run(factory: Callable[..., pytest.Pytester], tmp_path: Path) -> None:
    """Embeddings and layer 0 are fixed: emb and emb+L0 train what none trains, and emb+L0-1 trains the head alone."""
    result = factory("half_frozen").runpytest_inprocess("-rs", f"--freeze-report={tmp_path}")
    assert result.ret == 0
    result.assert_outcomes(passed=2, skipped=2)
    assert "[2] " in _reasons(result)
    assert _reasons(result).endswith("same as none: trains the same parameters")
    result.stdout.fnmatch_lines(
        [
            "freezebench not run: emb, emb+L0, since they train the same parameters as none",
            "freezebench [[]1/4] none seed 42: *",
            "freezebench [[]4/4] emb+L0-1 seed 43: *",
            "Decided: 1 of 1 at the margin of 45 points; no limit is asserted.",
            "Not run: emb, emb+L0, since they train the same parameters as none.",
        ]
    )
    assert re.search(r"^Freeze emb\+L0-1: .* \d+ % of the trainable parameters", result.stdout.str(), re.MULTILINE)
    saved = _configurations(tmp_path)
    assert {freeze: (len(item["runs"]), item["verdict"], item["same_as"]) for freeze, item in saved.items()} == {
        "none": (2, "baseline", None),
        "emb": (0, "not_run", "none"),
        "emb+L0": (0, "not_run", "none"),
        "emb+L0-1": (2, "non_inferior", None),
    }
    assert saved["none"]["trainable_fraction"] == 1
    runs = {freeze: saved[freeze]["runs"][0] for freeze in ("none", "emb+L0-1")}
    assert runs["none"]["num_trainable_params"] < runs["none"]["num_params"]
    share = runs["emb+L0-1"]["num_trainable_params"] / runs["none"]["num_trainable_params"]
    assert saved["emb+L0-1"]["trainable_fraction"] == share
