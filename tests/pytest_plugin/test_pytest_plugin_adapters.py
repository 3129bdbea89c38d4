"""Adapters that cannot be trained: one sentence and exit code 4, before training or before a model is loaded."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import freezebench.specs.freeze

Project = Callable[..., pytest.Pytester]


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        ("lora(r=0)", "lora(r=0): the rank is a whole number from 1 to 4096. Write r=8."),
        ("lora(r=9999)", "lora(r=9999): the rank is a whole number from 1 to 4096. Write r=8."),
        ("lora(rank=4)", "lora has no argument 'rank'"),
        ("none+lora", "joins none with other parts"),
        ("head+lora", "lora trains the head, and * has it frozen. Leave out head."),
        ("emb+L0-1+lora", "changes what trains of embeddings and layers, and all of * are frozen."),
        ("lora", "lora needs peft, which is not installed. Run: python -m pip install 'freezebench[[]peft]'"),
    ],
)
def test_what_is_known_without_a_model_is_refused_without_one(
    project: Project, monkeypatch: pytest.MonkeyPatch, grid: str, message: str
) -> None:
    """Arguments, combinations, and a missing library."""
    if grid.startswith("emb"):
        pytest.importorskip("peft", reason="the extra `peft` is not installed")
    if grid == "lora":
        monkeypatch.setattr(freezebench.specs.freeze, "find_spec", lambda _: None)
    monkeypatch.setattr("freezebench.runs.preflight.load_model", None)
    result = project().runpytest_inprocess(f"--freeze-grid=none,{grid}", "-Wdefault::pytest.PytestWarning")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*{message}*"])


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        ("lora(r=17)", "q_lin of * is a matrix of 16 x 16, whose rank is at most 16. Write r=8 or less."),
        (
            "lora(targets=query)",
            "query is no linear module *. Choose from attention, all, q_lin, k_lin, v_lin, out_lin,",
        ),
    ],
)
def test_what_depends_on_the_model_is_refused_before_training(project: Project, grid: str, message: str) -> None:
    """The width of its matrices, and the names of its modules."""
    pytest.importorskip("peft", reason="the extra `peft` is not installed")
    result = project().runpytest_inprocess(f"--freeze-grid=none,{grid}", "-Wdefault::pytest.PytestWarning")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*{message}*"])
    result.stdout.no_fnmatch_line("*trained in*")
