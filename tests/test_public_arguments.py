"""What public functions and classes do with arguments of another type, shape or range: it works, or one sentence."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from traceback import walk_tb
from types import TracebackType
from typing import Any

import numpy as np
import pytest
import torch

import freezebench as fb

# Types that a checker would refuse, as people without one write them.
api: Any = fb
RIGHT = [[True, False, True, True]] * 3
ARRAY = np.array(RIGHT)


@pytest.mark.parametrize(
    "outcomes",
    [
        RIGHT,
        ARRAY,
        torch.tensor(RIGHT),
        [torch.tensor(row) for row in RIGHT],
        ARRAY.astype(object),
        np.asfortranarray(ARRAY),
    ],
    ids=["lists", "array", "tensor", "list of tensors", "objects", "columns"],
)
def test_outcomes_may_be_any_table_of_truth_values(outcomes: Any) -> None:
    """They give one and the same verdict."""
    candidate = ~ARRAY
    assert fb.noninferiority(outcomes, candidate) == fb.noninferiority(ARRAY, candidate)


def test_outcomes_may_be_a_table_of_pandas() -> None:
    """Of plain or of nullable truth values; a missing one is refused."""
    pandas = pytest.importorskip("pandas")
    for kind in ("bool", "boolean"):
        table = pandas.DataFrame(RIGHT).astype(kind)
        assert fb.noninferiority(table, ~ARRAY) == fb.noninferiority(ARRAY, ~ARRAY)
    table.iloc[0, 0] = pandas.NA
    with pytest.raises(fb.OutcomesError, match="not boolean"):
        fb.noninferiority(table, ARRAY)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: api.noninferiority(None, None),
            fb.OutcomesError,
            "outcomes have shape ():",
        ),
        (lambda: api.noninferiority({1: RIGHT}, RIGHT), fb.OutcomesError, "outcomes have shape ()"),
        (lambda: api.noninferiority([], []), fb.OutcomesError, "outcomes have shape (0,)"),
        (lambda: api.noninferiority([[]], [[]]), fb.OutcomesError, "outcomes are empty, shape (1, 0)"),
        (lambda: api.noninferiority(RIGHT, RIGHT[:2]), fb.OutcomesError, "give both arms the same seeds and sentences"),
        (
            lambda: api.noninferiority([[1, 0]], [[1, 0]]),
            fb.OutcomesError,
            "are int64, not boolean: pass",
        ),
        (lambda: api.noninferiority(RIGHT, ARRAY * np.nan), fb.OutcomesError, "the candidate's outcomes are float64"),
        (
            lambda: api.noninferiority(torch.tensor(RIGHT).to_sparse(), RIGHT),
            fb.OutcomesError,
            "the baseline's outcomes are no array",
        ),
        (lambda: api.noninferiority(RIGHT, RIGHT, "2"), fb.SettingsError, "the margin is '2': give a positive number"),
        (lambda: api.noninferiority(RIGHT, RIGHT, None), fb.SettingsError, "the margin is None: give"),
        (lambda: api.noninferiority(RIGHT, RIGHT, True), fb.SettingsError, "the margin is True: give"),
        (lambda: api.noninferiority(RIGHT, RIGHT, [1, 2]), fb.SettingsError, "the margin is [1, 2]: give"),
        (lambda: api.noninferiority(RIGHT, RIGHT, alpha="5%"), fb.SettingsError, "alpha is '5%': give a one-sided"),
        (lambda: api.noninferiority(RIGHT, RIGHT, alpha=0.5), fb.SettingsError, "alpha is 0.5: give a one-sided"),
        (lambda: api.noninferiority(RIGHT, RIGHT, groups="abcd"), fb.OutcomesError, "groups are <U4 of shape ()"),
        (lambda: api.noninferiority(RIGHT, RIGHT, groups=[[1], [2, 3]]), fb.OutcomesError, "groups are no array"),
        (lambda: api.noninferiority(RIGHT, RIGHT).at_margin("3"), fb.SettingsError, "the margin is '3': give"),
        (lambda: api.parse_grid(None, 6), fb.SpecError, "parse_grid(None): give a text, such as 'all'"),
        (lambda: api.parse_grid(["none", "emb"], 6), fb.SpecError, "parse_grid(['none', 'emb']): give a text"),
        (lambda: api.parse_grid("all", "6"), fb.SpecError, "parse_grid(num_layers='6'): give a whole number from 1"),
        (lambda: api.parse_grid("all", 10**12), fb.SpecError, "parse_grid(num_layers=1000000000000): give"),
        (lambda: api.parse_grid("emb", 0), fb.SpecError, "parse_grid(num_layers=0): give"),
        (lambda: api.FreezeSpec.parse(3), fb.SpecError, "FreezeSpec.parse(3): give a text. Write none, emb, L3"),
        (lambda: api.FreezeSpec.prefix(-1), fb.SpecError, "FreezeSpec.prefix(-1): give the number of frozen layers"),
        (lambda: api.FreezeSpec(layers=[0]), fb.SpecError, "FreezeSpec(layers=[0]): give a tuple of ascending numbers"),
        (lambda: api.FreezeSpec(layers=(1, 0)), fb.SpecError, "FreezeSpec(layers=(1, 0)): give a tuple of ascending"),
        (
            lambda: api.FreezeSpec(layers=(10**5000,)),
            fb.SpecError,
            "FreezeSpec(layers=<tuple of too many digits>): give",
        ),
        (
            lambda: api.parse_grid("all", 10**5000),
            fb.SpecError,
            "parse_grid(num_layers=<int of too many digits>): give",
        ),
        (lambda: api.preset("e" * 10**6), fb.SettingsError, "there is no preset 'eeeeeeeee"),
        (lambda: api.preset(10**5000), fb.SettingsError, "there is no preset <int of too many digits>. Choose from"),
        (lambda: api.FreezeSpec(layers=("0",)), fb.SpecError, "FreezeSpec(layers=('0',)): give a tuple"),
        (lambda: api.FreezeSpec(embeddings="yes"), fb.SpecError, "FreezeSpec(embeddings='yes'): give True or False."),
        (
            lambda: api.freeze("bert", "emb"),
            fb.ModelError,
            "freeze(str, …): give a torch.nn.Module, such as",
        ),
        (lambda: api.freeze((1, 2), "emb"), fb.ModelError, "freeze(tuple, …): give a torch.nn.Module, its first"),
        (lambda: api.freeze(torch.nn.Linear(2, 2), 2), fb.SpecError, "freeze(…, 2): give a FreezeSpec or its id"),
        (lambda: api.freeze(None, ["emb"]), fb.SpecError, "freeze(…, ['emb']): give a FreezeSpec"),
        (lambda: api.measure(interval_s="x"), fb.SettingsError, "cannot poll every 'x' s: choose 0.01 to 1.0 s"),
        (lambda: api.measure(interval_s=float("nan")), fb.SettingsError, "cannot poll every nan s"),
        (lambda: api.measure(gpus=3.5), fb.SettingsError, "cannot measure GPU 3.5: give NVML indices"),
        (lambda: api.measure(gpus=torch.device("cpu")), fb.SettingsError, "cannot measure GPU device(type="),
        (lambda: api.measure(gpus={"a": 1}), fb.SettingsError, "cannot measure GPU {'a': 1}"),
        (lambda: api.preset(None), fb.SettingsError, "there is no preset None. Choose from distilbert-sst2"),
        (
            lambda: api.preset(["embedded"]),
            fb.SettingsError,
            "Did you mean 'embedded'?",
        ),
        (lambda: api.preset("embedded").run_spec(None), fb.SpecError, "FreezeSpec.parse(None): give a text."),
        (lambda: api.preset("embedded").run_spec(seed="x"), fb.SettingsError, "RunSpec(seed='x'): give a whole"),
        (lambda: api.InterimLooks(counts=3), fb.SettingsError, "seed counts 3 are not positive and increasing"),
        (lambda: api.InterimLooks(counts=("3",)), fb.SettingsError, "seed counts ('3',) are not positive"),
        (lambda: api.PerSpec.parse(2), fb.SpecError, "PerSpec.parse(2): give a text, such as '2,emb+L0-5:12'."),
        (lambda: api.PerSpec(default=float("nan")), fb.SpecError, "PerSpec(default=nan, by_spec=()): give finite"),
        (lambda: api.PerSpec(by_spec={"emb": 2}), fb.SpecError, "PerSpec(default=None, by_spec={'emb': 2}): give"),
        (
            lambda: api.CostLimits(max_time=1.05),
            fb.SettingsError,
            "CostLimits(max_time=1.05): give max_time=PerSpec(default=1.05)",
        ),
        (lambda: api.Reading(value="x", unit="s", source="c"), fb.RecordError, "a measured value is a finite number"),
    ],
)
def test_what_cannot_be_used_is_refused(call: Callable[[], object], error: type[Exception], message: str) -> None:
    """In one sentence that says what to give, never by an AttributeError of something inside."""
    with pytest.raises(error, match=re.escape(message)) as caught:
        call()
    assert "\n" not in str(caught.value)
    assert error.__name__ in _documentation(caught.tb)


def _documentation(traceback: TracebackType | None) -> str:
    """Return the docstring of the public function, or class, that raised an error, which says that it may."""
    frames = [frame for frame, _ in walk_tb(traceback) if frame.f_globals["__name__"].startswith("freezebench.")]
    frame = frames[0]
    if frame.f_code.co_name in ("__init__", "__post_init__"):
        return type(frame.f_locals["self"]).__doc__ or ""
    owner = frame.f_locals.get("self", frame.f_locals.get("cls"))
    function = frame.f_globals[frame.f_code.co_name] if owner is None else getattr(owner, frame.f_code.co_name)
    return function.__doc__ or ""


def test_numbers_of_numpy_are_numbers() -> None:
    """As depth, layer, margin and error rate."""
    assert api.parse_grid("all", np.int64(2)) == fb.parse_grid("all", 2)
    assert api.FreezeSpec(layers=(np.int64(0), np.int32(1))) == fb.FreezeSpec(layers=(0, 1))
    assert api.noninferiority(RIGHT, RIGHT, np.float32(2), np.float64(0.05)) == fb.noninferiority(RIGHT, RIGHT)


def test_a_figure_of_an_open_window_is_not_there_yet(tmp_path: Path) -> None:
    """It says when it will be."""
    with fb.measure() as window:
        (tmp_path / "file").touch()
        with pytest.raises(KeyError, match="after its with block"):
            _ = window.readings["cpu_s"]
    with pytest.raises(KeyError, match=re.escape("there is no figure 'energy'. Did you mean 'energy_j'?")):
        _ = window.readings["energy"]
