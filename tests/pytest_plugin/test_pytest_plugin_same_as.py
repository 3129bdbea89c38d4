"""Models that come with part of their parameters fixed: what trains the same is not run, what trains is counted."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from freezebench.cli import main
from report_schema import read_report

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


def adapters_alone(num_labels, seed):
    model, tokenizer = _load(num_labels)
    model.requires_grad_(False)
    for layer in model.distilbert.transformer.layer:
        layer.attention.v_lin = Adapted(layer.attention.v_lin)
        for part in (layer.attention.v_lin.down, layer.attention.v_lin.up):
            part.requires_grad_(True)
    return model, tokenizer


def fixed_head(num_labels):
    model, tokenizer = _load(num_labels)
    for part in (model.pre_classifier, model.classifier):
        part.requires_grad_(False)
    return model, tokenizer


def nothing_trains(num_labels):
    model, tokenizer = _load(num_labels)
    return model.requires_grad_(False), tokenizer


for factory in (frozen_encoder, half_frozen, adapters_alone, fixed_head, nothing_trains):
    factory.num_layers = 2
"""
# With this margin, two seeds and 40 sentences prove that a configuration that learns is safe.
LIMITS = "num_seeds=2, margin=45"
PARTS = "grid='none,head,L0,L0+head'"
Factory = Callable[..., pytest.Pytester]


@pytest.fixture
def factory(project: Project, tiny_model: Path) -> Factory:
    """Make a project with one freeze test on a model that a factory of this file makes."""

    def make(name: str, marker: str = LIMITS) -> pytest.Pytester:
        pytester = project(marker)
        test = pytester.path / "test_project.py"
        test.write_text(test.read_text().replace(repr(str(tiny_model)), f"'my_models:{name}'"))
        pytester.makepyfile(my_models=FACTORIES.format(model=str(tiny_model)))
        return pytester

    return make


def _configurations(report: Path) -> dict[str, dict[str, Any]]:
    content = read_report(report)
    return {item["freeze"]: item for item in content["experiments"][0]["configurations"]}


def _reasons(result: pytest.RunResult) -> str:
    return "\n".join(line for line in result.outlines if line.startswith("SKIPPED"))


@pytest.mark.usefixtures("without_matplotlib")
def test_what_trains_the_same_is_not_run(factory: Factory, tmp_path: Path) -> None:
    """The head is fixed: freezing it changes nothing, neither alone nor together with layer 0."""
    result = factory("fixed_head", f"{LIMITS}, {PARTS}").runpytest_inprocess("-rs", f"--freeze-report={tmp_path}")
    assert result.ret == 0
    result.assert_outcomes(passed=2, skipped=2)
    assert re.findall("same as .*", _reasons(result)) == [
        "same as none: trains the same parameters",
        "same as L0: trains the same parameters",
    ]
    result.stdout.fnmatch_lines(
        [
            "freezebench not run: head, since it trains the same parameters as none",
            "freezebench not run: L0+head, since it trains the same parameters as L0",
            "freezebench [[]1/4] none seed 42: *",
            "*[[]4/4] L0 seed 43: *",
            "Conclusive verdicts: 1 of 1 at *",
            "Not run: head, since it trains the same parameters as none.",
            "Not run: L0+head, since it trains the same parameters as L0.",
        ]
    )
    assert re.search(r"^Freeze L0: .* \d+ % of the trainable parameters", result.stdout.str(), re.MULTILINE)
    saved = _configurations(tmp_path)
    assert {freeze: (len(item["runs"]), item["verdict"], item["same_as"]) for freeze, item in saved.items()} == {
        "none": (2, "baseline", None),
        "head": (0, "not_run", "none"),
        "L0": (2, "non_inferior", None),
        "L0+head": (0, "not_run", "L0"),
    }
    assert saved["none"]["trainable_fraction"] == 1
    runs = {freeze: saved[freeze]["runs"][0] for freeze in ("none", "L0")}
    assert runs["none"]["num_trainable_params"] < runs["none"]["num_params"]
    share = runs["L0"]["num_trainable_params"] / runs["none"]["num_trainable_params"]
    assert saved["L0"]["trainable_fraction"] == share


@pytest.mark.usefixtures("without_matplotlib")
def test_a_grid_of_nothing_but_the_same_is_red_in_ci_and_says_why(
    factory: Factory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The encoder is fixed, so that freezing finds nothing to freeze; the baseline would be compared with nothing."""
    pytester = factory("frozen_encoder", f"{LIMITS}, grid='emb,emb+L0-1'")
    same = "emb, emb+L0-1 train the same parameters as none"
    why = f"INCONCLUSIVE: no candidate has a conclusive verdict (0 of 2): {same}. The model *"
    result = pytester.runpytest_inprocess(f"--freeze-report={tmp_path}")
    assert result.ret == 0
    result.stdout.fnmatch_lines([f"freezebench: warning: {why}"])
    result.stdout.no_fnmatch_line("*seed 42*")
    summary = tmp_path / "summary.md"
    monkeypatch.setenv("CI", "true")
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    result = pytester.runpytest_inprocess("--junitxml=junit.xml", f"--freeze-report={tmp_path}", "--freeze-save=model")
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        [
            why,
            "Nothing to compare: emb, emb+L0-1 train the same parameters as none.",
            "freezebench: --freeze-save: nothing was saved to *, since no configuration is recommended. *",
        ]
    )
    assert "*Nothing to compare: emb, emb+L0-1 train the same parameters as none.*" in summary.read_text()
    assert re.search(r"::error title=freezebench%3A%3Aconclusive::INCONCLUSIVE: no candidate", result.stdout.str())
    junit = (pytester.path / "junit.xml").read_text()
    assert junit.count('message="same as none: trains the same parameters"') == 2
    assert junit.count('name="freezebench_same_as" value="none"') == 2
    assert "it has no runs" not in junit
    for report in (tmp_path, tmp_path / "report.json"):
        assert main(["report", str(report), f"--output={tmp_path}"]) == 0


def test_search_leaves_out_what_trains_the_same(factory: Factory) -> None:
    """The embeddings and layer 0 are fixed, so that one prefix is left to search."""
    result = factory("half_frozen", f"{LIMITS}, grid='search'").runpytest_inprocess("-rs")
    result.assert_outcomes(passed=2, skipped=2)
    assert re.findall("same as .*", _reasons(result)) == ["same as none: trains the same parameters"]
    result.stdout.fnmatch_lines(["freezebench [[]4/4] emb+L0-1 seed 43: *", "Not run: emb, emb+L0, since they train *"])


@pytest.mark.slow
def test_a_rung_that_nobody_named_is_left_out_if_nothing_would_train(factory: Factory) -> None:
    """The head is fixed: with the whole encoder frozen nothing is left, which ends no session of the grid `all`."""
    result = factory("fixed_head").runpytest_inprocess("-rs", "--freeze-min-speedup=emb+L0-1:9")
    assert result.ret == 0
    result.assert_outcomes(passed=3, skipped=1)
    why = "left out: emb+L0-1, since nothing of my_models:fixed_head would be left to train"
    assert _reasons(result).endswith(why)
    result.stdout.fnmatch_lines([f"freezebench {why}", "*[[]6/6] emb+L0 seed 43: *", f"Left{why[4:]}."])


@pytest.mark.parametrize("where", ["--freeze-grid=none,emb+L0-1", "--freeze-grid=all,L0-1+emb", "marker"])
def test_a_rung_that_somebody_named_has_to_have_something_to_train(factory: Factory, where: str) -> None:
    """It is a usage error, whoever named it, and nothing is trained."""
    marker = f"{LIMITS}, grid='emb,emb+L0-1'" if where == "marker" else LIMITS
    result = factory("fixed_head", marker).runpytest_inprocess(*([] if where == "marker" else [where]))
    assert result.ret == 4
    result.stderr.fnmatch_lines(["ERROR: cannot freeze emb+L0-1: nothing of * would be left to train. Leave out one *"])


def test_a_model_that_trains_nothing_is_a_usage_error(factory: Factory) -> None:
    """No configuration could be run, the baseline included."""
    result = factory("nothing_trains").runpytest_inprocess()
    assert result.ret == 4
    result.stderr.fnmatch_lines(["ERROR: cannot freeze none: nothing of * would be left to train. Make some of *"])


def test_adapters_alone_are_what_freezing_counts(factory: Factory) -> None:
    """Nothing but adapters trains: not the embeddings, and no head where the whole encoder is frozen."""
    result = factory("adapters_alone").runpytest_inprocess("-rs", "--freeze-lr=0.2")
    result.stdout.fnmatch_lines(
        [
            "freezebench not run: emb, since it trains the same parameters as none",
            "freezebench left out: emb+L0-1, since nothing of my_models:adapters_alone would be left to train",
        ]
    )
    assert result.parseoutcomes()["skipped"] == 2


def test_nothing_is_asserted_of_what_is_not_run(factory: Factory) -> None:
    """No limit that it could miss, no interleaved runs, no policy on what is undecided."""
    flags = ["--freeze-max-drop=head:0.1", "--freeze-min-speedup=head:99", "--freeze-inconclusive=head:pass"]
    pytester = factory("fixed_head", f"{LIMITS}, {PARTS}, pool_seeds=True")
    result = pytester.runpytest_inprocess(*flags, "--freeze-lr=1e-2,head:1e-3")
    assert result.ret == 0
    result.assert_outcomes(passed=2, skipped=2)
    result.stdout.fnmatch_lines(["*[[]4/4] L0 seed 43: *", "Conclusive verdicts: 1 of 1 at *"])


def test_a_test_that_requests_freeze_run_while_it_runs_is_skipped_as_well(factory: Factory) -> None:
    """It is not known before that it trains, so that its model is loaded when it asks."""
    pytester = factory("half_frozen")
    test = pytester.path / "test_project.py"
    source = test.read_text().replace("(freeze_run)", "(freeze_spec, request)")
    test.write_text(source.replace("freeze_run()", 'request.getfixturevalue("freeze_run")()'))
    result = pytester.runpytest_inprocess("-rs", "-k", "emb and not L0-1")
    result.assert_outcomes(skipped=2, deselected=2)
    assert _reasons(result).endswith("same as none: trains the same parameters")
    result.stdout.no_fnmatch_line("*seed 42*")


def test_no_plan_can_know_what_is_not_run(factory: Factory) -> None:
    """It loads no model, and shows the runs of all configurations."""
    result = factory("half_frozen").runpytest_inprocess("--freeze-plan")
    result.stdout.fnmatch_lines(["emb+L0 * 2 *", "freezebench: 8 runs; *"])
    result.stdout.no_fnmatch_line("*not run*")


@pytest.mark.slow
def test_what_is_not_run_is_in_no_saved_run_and_needs_no_partner_in_one(
    factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of benchmarks has what was trained; compared with it, the rest is neither missing nor undecided."""
    pytester = factory("fixed_head", f"{LIMITS}, {PARTS}")
    assert pytester.runpytest_inprocess("--benchmark-save=old").ret == 0
    (saved,) = pytester.path.rglob("*_old.json")
    names = [item["name"] for item in json.loads(saved.read_text())["benchmarks"]]
    assert names == ["test_it[none]", "test_it[L0]"]
    monkeypatch.setenv("CI", "true")
    result = pytester.runpytest_inprocess("--benchmark-compare", "--freeze-max-memory=9")
    assert result.ret == 0
    result.assert_outcomes(passed=2, skipped=2)
    result.stdout.no_fnmatch_line("*Not in the saved run*")


@pytest.mark.slow
def test_a_worker_tells_the_session_what_trains(factory: Factory) -> None:
    """As the session's own process does, in answer to the same request."""
    result = factory("fixed_head").runpytest_inprocess("-rs", "--freeze-isolate=worker")
    result.assert_outcomes(passed=3, skipped=1)
    assert "left out: emb+L0-1, since nothing of my_models:fixed_head would be left to train" in _reasons(result)
