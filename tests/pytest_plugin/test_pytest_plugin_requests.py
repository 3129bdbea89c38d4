"""Options, bad requests, and the cost of the plugin in sessions that do not use it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import huggingface_hub.constants
import pytest

from freezebench.config.options import OPTIONS

Project = Callable[..., pytest.Pytester]

HEAVY = ("torch", "numpy", "transformers", "datasets", "pynvml", "matplotlib")


def test_importing_the_plugin_imports_nothing_heavy() -> None:
    """Having the plugin installed does not import torch."""
    code = f"import sys, freezebench.pytest_plugin.plugin, freezebench; print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_sessions_without_freeze_tests_import_nothing_heavy(pytester: pytest.Pytester) -> None:
    """A session without freeze tests imports neither torch nor freezebench.session."""
    modules = (*HEAVY, "freezebench.session", "freezebench.config.settings")
    pytester.makepyfile(f"import sys\ndef test_it(): assert not [m for m in {modules} if m in sys.modules]")
    # pytest-randomly imports numpy.
    pytester.runpytest_subprocess("-p", "no:randomly").assert_outcomes(passed=1)


def test_help_shows_every_option_in_a_group_of_its_own(pytester: pytest.Pytester) -> None:
    """Flags are in the group, ini keys below."""
    text = pytester.runpytest_subprocess("--help").stdout.str()
    group = text.partition("freezebench: which layers can be frozen")[2]
    for option in OPTIONS:
        metavar = f"[{option.metavar}]" if option.may_lack_value else option.metavar
        value = "" if option.is_switch else f"={metavar}"
        assert f"  {option.flag}{value}" in group
        assert f"{option.ini} (string)" in text


def test_the_marker_is_documented(pytester: pytest.Pytester) -> None:
    """``pytest --markers`` says what the freeze marker takes."""
    pytester.runpytest_subprocess("--markers").stdout.fnmatch_lines(["@pytest.mark.freeze(**options):*"])


BAD = [
    (["--freeze-epochs=0"], "--freeze-epochs=0: give the number of epochs, a whole number from 1 to 10,000."),
    (["--freeze-max-drop=0.02"], "Did you mean 2 points?"),
    (["--freeze-grid=emb+L7"], "cannot freeze layer 7 of emb+L7: * has layers 0 to 1. Choose from emb, L0 … L1, head."),
    (["--freeze-grid=emb+L0-1+head"], "nothing of * would be left to train"),
    (["--freeze-max-drop=emb+L9:3"], "--freeze-max-drop: cannot freeze layer 9"),
    (["--freeze-data=./nowhere"], "there is no file or folder './nowhere'"),
    (["--freeze-model=./nowhere"], "cannot load the model './nowhere': there is no such folder"),
    (["--freeze-text-column=review"], "--freeze-text-column"),
    (["--freeze-report=test_project.py"], "cannot write there"),
    (["--benchmark-cprofile=cumtime"], "--benchmark-cprofile would replay recorded times"),
    (
        ["--benchmark-save=main", "--freeze-devices=cpu,cpu"],
        "--benchmark-save saves benchmarks, and with --freeze-devices=cpu,cpu there are none*--freeze-anchor=DIR",
    ),
    (["--freeze-device=cuda:17"], "cannot use device cuda:17: torch"),
    (["--freeze-seed=99999999999"], "give a seed, a whole number from 0 to"),
    (["--freeze-preset=sst3"], "choose from distilbert-sst2, embedded, notebook."),
]


@pytest.mark.parametrize(("flags", "sentence"), BAD)
def test_bad_requests_end_with_code_4_and_a_sentence(project: Project, flags: list[str], sentence: str) -> None:
    """Nothing is trained, and the sentence is the last line."""
    result = project().runpytest_inprocess("-Wdefault::pytest.PytestWarning", *flags)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: *{sentence}*"])
    result.stdout.no_fnmatch_line("*test accuracy*")


def test_bad_ini_keys_and_markers_are_named(project: Project) -> None:
    """The sentence names the source of the bad value."""
    pytester = project()
    pytester.makeini("[pytest]\nfreeze_num_seeds = many")
    result = pytester.runpytest_inprocess()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: ini key freeze_num_seeds=many: *"])
    pytester.makeini("[pytest]")
    result = project("epoch=3").runpytest_inprocess()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    place = "freeze marker of test_project.py::test_it (test_project.py:3)"
    result.stderr.fnmatch_lines([f"ERROR: {place}: there is no argument 'epoch'*"])


def test_ini_keys_are_defaults(project: Project) -> None:
    """An ini key is used unless a flag or a marker sets the option."""
    pytester = project()
    pytester.makeini("[pytest]\nfreeze_grid = none,emb\nfreeze_num_seeds = 2\nfreeze_margin = 7")
    result = pytester.runpytest_inprocess("--collect-only", "-q")
    result.stdout.fnmatch_lines(["test_project.py::test_it[[]none[]]", "test_project.py::test_it[[]emb[]]"])
    assert result.stdout.str().count("test_it[") == 2
    result.stdout.fnmatch_lines(["freezebench: 2 configurations with 2 seeds each*"])


def test_collecting_loads_no_model(project: Project) -> None:
    """The depth is read from config.json, so collecting freeze tests imports no torch."""
    pytester = project()
    pytester.makeconftest(
        "import sys\ndef pytest_unconfigure(): print('TORCH', 'torch' in sys.modules, 'transformers' in sys.modules)"
    )
    result = pytester.runpytest_subprocess("--collect-only", "-q")
    result.stdout.fnmatch_lines(["test_project.py::test_it[[]emb+L0-1[]]", "TORCH False False"])


def test_freeze_tests_can_be_deselected_by_their_marker(project: Project) -> None:
    """Every freeze test is marked, if not by its author, then by the plugin; ``--benchmark-only`` selects them."""
    pytester = project()
    pytester.makepyfile(test_other="def test_unmarked(freeze_run): freeze_run()\ndef test_plain(): pass")
    result = pytester.runpytest_inprocess("-m", "not freeze", "--freeze-grid=none")
    result.assert_outcomes(passed=1, deselected=2)
    result = pytester.runpytest_inprocess(
        "--benchmark-only", "--freeze-grid=none", "test_project.py", "test_other.py::test_plain"
    )
    result.assert_outcomes(passed=1, skipped=1)


def test_errors_of_a_deselected_freeze_test_are_not_raised(project: Project) -> None:
    """A model that cannot be loaded is an error only if its test is selected."""
    pytester = project()
    pytester.makepyfile(
        test_mixed="""
            import pytest
            def test_plain(): pass
            @pytest.mark.freeze(model="no/such-model", data="no/such-data")
            def test_missing(freeze_run): freeze_run()
        """
    )
    for selection in (["-m", "not freeze", "test_mixed.py"], ["-k", "plain"], ["test_mixed.py::test_plain"]):
        assert pytester.runpytest_inprocess(*selection).parseoutcomes()["passed"] == 1
    assert pytester.runpytest_inprocess("test_mixed.py").ret == pytest.ExitCode.USAGE_ERROR


@pytest.mark.parametrize(
    ("marker", "sentence"), [("num_layers='two'", "whole number"), ("num_layers=5", "has 2 layers")]
)
def test_a_stated_depth_is_checked(project: Project, marker: str, sentence: str) -> None:
    """It is for factories only, and a positive whole number."""
    result = project(marker).runpytest_inprocess()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: *{sentence}*"])


def test_the_settings_of_the_selected_tests_are_shown(project: Project, tiny_model: Path) -> None:
    """Preset with its reason, model, data, grid, seeds; a default that no test uses is not announced."""
    result = project().runpytest_inprocess("--freeze-grid=none,emb", "--freeze-num-seeds=2", "--collect-only")
    result.stdout.fnmatch_lines(["freezebench: preset embedded (*)", "freezebench: model *grid none,emb, seeds 42, 43"])
    assert [line for line in result.outlines if line.startswith("freezebench: model ")] == [
        line for line in result.outlines if line.startswith(f"freezebench: model {tiny_model}, ")
    ]


def test_several_experiments_have_one_line_each(project: Project, pytester: pytest.Pytester) -> None:
    """At most a few, and the number of the others; -v shows all of each."""
    source = (project().path / "test_project.py").read_text(encoding="utf-8")
    marker = source.partition("@pytest.mark.freeze")[2].partition("\n")[0]
    tests = "".join(
        f"@pytest.mark.freeze{marker[:-1]}, batch_size={size})\ndef test_{size}(freeze_run):\n    freeze_run()\n"
        for size in range(1, 7)
    )
    pytester.makepyfile(test_project="import pytest\n" + tests.replace("batch_size=8, ", "", 6))
    arguments = ["--freeze-grid=none,emb", "--freeze-num-seeds=2", "--collect-only"]
    lines = [line for line in pytester.runpytest_inprocess(*arguments).outlines if line.startswith("freezebench: ")]
    assert len(lines) == 6
    assert lines[0].endswith(": 2 configurations with 2 seeds each, 8 epochs, batch 1, engine cached")
    assert lines[4] == "freezebench: and 2 more (-v shows all)"
    assert lines[5].startswith("freezebench: finished runs are not kept: pytest's cache is off.")
    lines = pytester.runpytest_inprocess(*arguments, "-v").outlines
    assert sum(line.startswith("freezebench: model ") for line in lines) == 6


def test_the_notebook_preset_without_the_hub_names_what_is_missing(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One sentence with the remedy; a named preset never falls back to another one."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    pytester = project()
    pytester.makepyfile(test_project="def test_it(freeze_run): freeze_run()")
    result = pytester.runpytest_inprocess("--freeze-preset=notebook")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    errors = [line for line in result.errlines if line.startswith("ERROR: ")]
    assert len(errors) == 1
    assert "cannot load the model 'distilbert-base-uncased': " in errors[0]
    assert "HF_HUB_OFFLINE is set" in errors[0]
    assert "hf download distilbert-base-uncased" in errors[0]


def test_the_plugin_may_be_named_in_a_conftest(project: Project, tmp_path: Path) -> None:
    """``pytest_plugins`` and the entry point do not collide."""
    pytester = project()
    pytester.makeconftest("pytest_plugins = ['freezebench.pytest_plugin.plugin']")
    assert pytester.runpytest_subprocess("--collect-only", "-q", f"--basetemp={tmp_path}").ret == 0


BROKEN_FACTORY = """
import sys
import pytest

def exits(num_labels):
    sys.exit(3)

def fails(num_labels):
    raise RuntimeError("no weights today")

exits.num_layers = fails.num_layers = 1

@pytest.mark.freeze(model="test_factory:{name}", data={data!r}, grid="none,emb", device="cpu")
def test_it(freeze_run):
    freeze_run()
"""


@pytest.mark.parametrize(("name", "reason"), [("fails", "no weights today"), ("exits", "SystemExit")])
def test_a_model_that_cannot_be_made_ends_before_anything_trains(
    project: Project, tiny_data: Path, name: str, reason: str
) -> None:
    """A factory that raises or ends the process is a usage error."""
    pytester = project()
    pytester.makepyfile(test_factory=BROKEN_FACTORY.format(name=name, data=str(tiny_data)))
    pytester.syspathinsert()
    result = pytester.runpytest_inprocess("test_factory.py")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: cannot load the model 'test_factory:{name}'*{reason}*"])
