"""Sessions in which learning rates are chosen by trials."""

from __future__ import annotations

from collections.abc import Callable

import pytest

Project = Callable[..., pytest.Pytester]

# The tiny model learns nothing at the smallest of these rates.
OPTIONS = ("-Wdefault::pytest.PytestWarning", "--freeze-num-seeds=1", "--freeze-tune-lr=0.001,1", "--freeze-epochs=4")


def test_each_configuration_gets_its_rate_by_trials_that_are_kept(project: Project) -> None:
    """The runs that are judged have it; the plan, the lines of runs and the summary say so; trials are reused."""
    pytester = project("grid='none,emb+L0'")
    options = (*OPTIONS, "--freeze-store=store")
    plan = pytester.runpytest_inprocess(*options, "--freeze-plan")
    plan.stdout.fnmatch_lines(
        [
            "*learning rate 0.01, each tried times 0.001, 1 with seed 41; the lowest validation loss chooses*",
            "none, trials *2 *0 *41 *1e-05, 0.01 *",
            "none *1 *0 *42 *the chosen one *",
            "emb+L0, trials *2 *0 *41 *1e-05, 0.01 *",
            "*6 runs; the duration is unknown*",
        ]
    )
    result = pytester.runpytest_inprocess(*options)
    result.stdout.fnmatch_lines(
        [
            "*[[]1/6] none seed 41 rate 1e-05: *",
            "*[[]4/6] emb+L0 seed 41 rate 0.01: *",
            "*[[]5/6] none seed 42: *",
            "Learning rates: 2 were tried *(4 trials); the lowest validation loss chose none 0.01, emb+L0 0.01.",
            "The chosen rate is the smallest or the largest one that was tried: none (the largest), emb+L0 *",
        ]
    )
    result.stdout.fnmatch_lines(["*saved 6 runs to store"])
    again = pytester.runpytest_inprocess(*options, "-v")
    again.stdout.fnmatch_lines(["*none seed 41 rate 0.01: reused*", "*Rates tried for none: 1e-05 (validation loss *"])
    assert "trained in" not in again.stdout.str()
    plan = pytester.runpytest_inprocess(*options, "--freeze-plan")
    plan.stdout.fnmatch_lines(["none *1 *1 *42 *0.01 *", "*6 runs, all of which earlier sessions finished*"])


def test_trials_count_against_a_budget(project: Project) -> None:
    """And the same command goes on from there."""
    options = (*OPTIONS, "--freeze-store=store")
    pytester = project("grid='none,emb'")
    first = pytester.runpytest_inprocess(*options, "--freeze-budget=3runs")
    first.stdout.fnmatch_lines(["*(3 runs trained); the next run would have been emb seed 41*"])
    second = pytester.runpytest_inprocess(*options)
    second.stdout.fnmatch_lines(
        ["*none seed 41 rate 0.01: reused*", "*emb seed 41 rate 0.01: validation loss*", "*emb seed 42: *"]
    )


def test_the_flag_alone_means_three_factors_and_takes_no_folder_for_them(project: Project) -> None:
    """A marker and an ini key may set it, too; a rate above 1 is refused before a model is loaded."""
    pytester = project("grid='none,emb'")
    plan = ("-Wdefault::pytest.PytestWarning", "--freeze-plan")
    result = pytester.runpytest_inprocess(*plan, "test_project.py", "--freeze-tune-lr")
    result.stdout.fnmatch_lines(["*each tried times 0.33, 1, 3 with seed 41*"])
    result = pytester.runpytest_inprocess(*plan, "--freeze-tune-lr", "test_project.py")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--freeze-tune-lr=test_project.py: give 2 to 9 different factors*behind the tests*"])
    result = pytester.runpytest_inprocess(*plan, "--freeze-tune-lr=1,200")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*200 times the rate of none, 0.01, is above 1*"])
    pytester.makeini("[pytest]\nfreeze_tune_lr = yes\n")
    pytester.runpytest_inprocess(*plan).stdout.fnmatch_lines(["*each tried times 0.33, 1, 3*"])
    pytester = project("grid='none,emb', tune_lr=[0.5, 2]")
    pytester.runpytest_inprocess(*plan).stdout.fnmatch_lines(["*each tried times 0.5, 2*"])
