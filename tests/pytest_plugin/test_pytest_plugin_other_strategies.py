"""Strategies of other packages: a broken one costs a clear error where it is named, and never a session."""

from __future__ import annotations

import io
import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from freezebench.executors.worker_main import RequestHandler
from freezebench.runs import strategy_source
from freezebench.specs.data import DataSpec
from freezebench.specs.run import RunSpec
from strategy_packages import forget_strategies

Project = Callable[..., pytest.Pytester]
Offer = Callable[..., Path]

STRATEGY = """
import sys
from dataclasses import dataclass, replace
from freezebench import Strategy, Trainable

@dataclass(frozen=True, kw_only=True)
class Mine(Strategy):
    name = "mine"
    summary = "the head"
    rate_factor = 3

    def apply(self, model, layers, trainable):
        {body}
"""
QUIET = ("-Wdefault::pytest.PytestWarning", "--freeze-grid=none,emb+mine")
BODIES = {
    "raises": ("1 / 0", "*the strategy mine fails on * (ZeroDivisionError: division by zero). Correct the strategy*"),
    "ends Python": (
        "sys.exit('no')",
        "*the strategy mine fails on * (SystemExit: no). Correct the strategy, or choose*",
    ),
    "returns nothing": ("pass", "*the strategy mine returned None. Let its method apply return a Trainable.*"),
    "trains what is frozen": (
        "return replace(trainable, names=trainable.names | set(layers.emb))",
        "*the strategy mine trains distilbert.embeddings.* which does not exist or is frozen. Let it choose*",
    ),
    "trains what is not there": (
        "return replace(trainable, names=trainable.names | {'x'})",
        "*the strategy mine trains x, which does not exist or is frozen. Let it choose*",
    ),
    "replaces the head": (
        "model.classifier = type(model.classifier)(16, 2); return trainable",
        "*the strategy mine removes or replaces classifier.weight of the model. Let it keep all parameters*",
    ),
    "adds parameters silently": (
        "model.distilbert.mine = type(model.classifier)(2, 2); return trainable",
        "*the strategy mine adds distilbert.mine.weight to the model and does not say so. Let it name all*",
    ),
    "trains nothing": ("return trainable.only(())", "*cannot freeze emb+mine: nothing of * would be left to train*"),
}


@pytest.mark.parametrize("body", BODIES)
def test_what_a_strategy_does_wrong_is_an_error_before_training(project: Project, offer: Offer, body: str) -> None:
    """Exit code 4 and one sentence, before the first run of any configuration."""
    offer("theirs", "mine = theirs:Mine", theirs=STRATEGY.format(body=BODIES[body][0]))
    result = project().runpytest_inprocess(*QUIET)
    assert result.ret == 4
    output = result.stdout.str() + result.stderr.str()
    assert "INTERNALERROR" not in output
    assert "accuracy" not in result.stdout.str()
    result.stderr.fnmatch_lines([BODIES[body][1]])


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            "raise ImportError('no backend')",
            "*cannot load the strategy mine of theirs (theirs:Mine): ImportError: no ba*",
        ),
        ("raise SystemExit(0)", "*cannot load the strategy mine of theirs (theirs:Mine): SystemExit: 0. Correct or *"),
        ("Mine = 3", "*the strategy mine of theirs (theirs:Mine) is no subclass of freezebench.Strategy. Correct or*"),
    ],
)
def test_a_strategy_that_cannot_be_loaded(project: Project, offer: Offer, source: str, message: str) -> None:
    """It is named by the option that names it; a session without it does not notice."""
    offer("theirs", "mine = theirs:Mine", theirs=source)
    result = project().runpytest_inprocess(*QUIET)
    assert result.ret == 4
    result.stderr.fnmatch_lines([f"ERROR: --freeze-grid{message}"])
    plan = project().runpytest_inprocess("-Wdefault::pytest.PytestWarning", "--freeze-grid=none,emb", "--freeze-plan")
    assert plan.ret == 0


def test_a_strategy_of_a_package_is_planned_and_among_the_choices(project: Project, offer: Offer) -> None:
    """With its usual rate, three times the common one."""
    offer("theirs", "mine = theirs:Mine", theirs=STRATEGY.format(body="return trainable"))
    pytester = project()
    plan = pytester.runpytest_inprocess(*QUIET, "--freeze-plan")
    assert plan.ret == 0
    plan.stdout.fnmatch_lines(["none * 0.01 *", "emb+mine * 0.03 *"])
    wrong = pytester.runpytest_inprocess("--freeze-grid=mien")
    assert wrong.ret == 4
    wrong.stderr.fnmatch_lines(["*cannot read 'mien' in freeze spec 'mien'*Did you mean 'mine'?*"])


@pytest.mark.slow
def test_the_code_of_a_strategy_is_part_of_its_stored_runs(project: Project, offer: Offer, tmp_path: Path) -> None:
    """They are reused as long as it is the same; of other code, the run is trained again, and no other one."""
    body = "return trainable.only(layers.head)"
    folder = offer("theirs", "mine = theirs:Mine", theirs=STRATEGY.format(body=body))
    options = (*QUIET, "--freeze-num-seeds=1", "--freeze-inconclusive=pass", f"--freeze-store={tmp_path / 'store'}")
    pytester = project()
    first = pytester.runpytest_inprocess(*options)
    assert first.ret in (0, 1)
    first.stdout.fnmatch_lines(["emb+mine *"])
    assert len(list((tmp_path / "store").glob("*.json"))) == 2

    again = pytester.runpytest_inprocess(*options)
    again.stdout.fnmatch_lines(["*reused 2 runs of earlier sessions*"])
    (folder / "theirs.py").write_text(STRATEGY.format(body=body) + "# another version\n", encoding="utf-8")
    strategy_source._described.cache_clear()
    changed = pytester.runpytest_inprocess(*options)
    changed.stdout.fnmatch_lines(["*reused 1 run of earlier sessions*"])
    strategy_source._described.cache_clear()


def test_a_worker_in_which_the_package_is_missing(offer: Offer, tiny_model: Path, tiny_data: Path) -> None:
    """As on a node of another installation: the strategy is named, and the worker trains other configurations."""
    folder = offer("theirs", "mine = theirs:Mine", theirs=STRATEGY.format(body="return trainable"))
    spec = RunSpec(model=str(tiny_model), data=DataSpec(source=str(tiny_data)), freeze="emb+mine", device="cpu")
    shutil.rmtree(folder)  # this process has loaded it
    assert spec.freeze_spec.strategies
    events = io.StringIO()
    handler = RequestHandler(events)
    message = {"path": sys.path, "data_cache": {}, "request": {"kind": "inputs", "spec": spec.to_json()}}
    forget_strategies()  # as in another process
    handler.answer(message)  # type: ignore[arg-type]
    handler.answer({**message, "request": {"kind": "inputs", "spec": replace(spec, freeze="emb").to_json()}})  # type: ignore[typeddict-item]
    refused, answered = map(json.loads, events.getvalue().splitlines())
    assert "cannot read 'mine' in freeze spec 'emb+mine': it is neither a part of an encoder nor" in str(refused)
    assert "cannot read" not in str(answered)
