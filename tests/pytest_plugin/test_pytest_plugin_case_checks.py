"""What is wrong with the markers and arguments of cases: one sentence, and exit code 4 where it is known in time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tiny import write_model

Project = Callable[[str], pytest.Pytester]

SIZES = """
@pytest.mark.parametrize("size", [param(1, marks=freeze(grid="none,emb"), id="small"), 2])
@freeze(grid="none,L0,L1")
def test_it(freeze_run, size):
    freeze_run()
"""

BAD = {
    "gird='emb'": "there is no argument 'gird'. Choose from grid, *",
    "'emb'": "it takes named arguments only. Write freeze(grid='none,emb'), with the name of each argument.",
    "epochs=0": "epochs=0: *the number of epochs*",
    "epochs=[1, 2]": "epochs=1,2: *the number of epochs*",
    "num_layers='two'": "num_layers=*two*: *whole number from 1 to *",
    "num_layers=9": "num_layers=9 was given, but * has 2 layers. Leave it out: *",
    "grid={'none'}": "grid: a value of type set cannot be used. Give text, a number, a list or a dictionary; *",
    "model=print": "model: a value of type builtin_function_or_method cannot be used. *'module:function'.",
    "grid='none,L9'": "cannot freeze layer 9: * has layers 0 to 1. Choose from emb, L0 … L1, head.",
    "max_drop={'L7': 3}": "max_drop: cannot freeze layer 7: * has layers 0 to 1. Choose from *",
    "model='./nowhere'": "cannot load the model './nowhere': there is no such folder (seen from *). Give *",
    "data='./nowhere'": "there is no file or folder './nowhere' (looked in *). Give a folder with *",
    "store='x'": "there is no argument 'store'. Choose from *",
}

PLACES = {
    "param": (SIZES.replace('grid="none,emb"', "{bad}"), "test_project.py::test_it[[]small[]] (test_project.py:8)"),
    "added": (
        "def test_it(freeze_run): freeze_run()\n",
        "test_project.py::test_it (test_project.py:7)",
    ),
    "class": (
        "@freeze({bad})\nclass TestIt:\n    def test_it(self, freeze_run): freeze_run()\n",
        "test_project.py::TestIt::test_it (test_project.py:9)",
    ),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("bad", BAD)
def test_bad_arguments_name_the_test_and_its_line(cases: Project, bad: str, place: str) -> None:
    """Whoever sets the marker, one sentence and exit code 4, also if tests are only listed."""
    source, name = PLACES[place]
    pytester = cases(source.replace("{bad}", bad))
    if place == "added":
        pytester.makeconftest(
            f"import pytest\ndef pytest_itemcollected(item): item.add_marker(pytest.mark.freeze({bad}))"
        )
    result = pytester.runpytest_inprocess("--freeze-device=cpu")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    errors = [line for line in result.errlines if line]
    assert len(errors) == 1
    result.stderr.fnmatch_lines([f"ERROR: *{name}*{BAD[bad]}"])
    result.stdout.no_fnmatch_line("*INTERNALERROR*")


def test_a_bad_case_is_no_error_if_it_is_deselected(cases: Project, reach: Callable[..., list[str]]) -> None:
    """The other cases of its function run."""
    reach()
    pytester = cases(SIZES.replace('grid="none,emb"', "gird='none'"))
    pytester.runpytest_inprocess("-k", "not small").assert_outcomes(passed=3, deselected=1)


@pytest.mark.parametrize("name", ["test_it[emb-small]", "test_it[none-small]"])
def test_a_node_id_of_a_bad_case_says_what_is_wrong(cases: Project, name: str) -> None:
    """Without settings the case has no configurations, so that pytest does not find the id."""
    result = cases(SIZES.replace('grid="none,emb"', "gird='none'")).runpytest_inprocess(f"test_project.py::{name}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: freeze marker of *::test_it[[]small[]] (*:8): there is no argument 'gird'*"])
    result.stderr.fnmatch_lines(["*not found: *"])


def test_two_cases_must_not_share_an_id(cases: Project) -> None:
    """A freeze spec and the id of a case may give the same text as another spec and another id."""
    result = cases(
        "@pytest.mark.parametrize('own', [param(1, id='1-x', marks=freeze(grid='L0')), param(2, id='x')])\n"
        "@freeze(grid='L0-1')\n"
        "def test_it(freeze_run, own): freeze_run()\n"
    ).runpytest_inprocess()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: *[[]x[]] (*): test_project.py::test_it[[]L0-1-x[]] is the id of a test of *"])


LIMITED = """
@freeze({})
class TestAll:
    @freeze({})
    def test_wide(self, freeze_run): freeze_run()

    @freeze(grid="none,emb")
    def test_narrow(self, freeze_run): freeze_run()
"""
# Markers of class and function, arguments, and what has a value for which configuration; nothing if all is well.
WIDER: dict[str, tuple[str, str, list[str], str]] = {
    "flag": (
        "",
        "",
        ["--freeze-grid=emb", "--freeze-max-drop=emb:1,emb+L0:3"],
        "ERROR: --freeze-max-drop * for emb+L0,",
    ),
    "rate": ("", "grid='L0'", ["--freeze-lr=emb+L1:1e-3,none:1e-3"], "ERROR: --freeze-lr has a value for emb+L1,"),
    "ini": ("", "", ["-o", "freeze_max_drop=lora:3"], "ERROR: ini key freeze_max_drop has a value for lora,"),
    "policy": ("", "", ["--freeze-inconclusive=L0:pass"], "ERROR: --freeze-inconclusive has a value for L0,"),
    "marker": (
        "",
        "grid='L0', max_drop={'L0': 1, 'L1': 2}",
        [],
        "ERROR: *::test_wide (*max_drop has a value for L1,",
    ),
    "cost": ("", "min_speedup='L1:2,L0:2'", [], "ERROR: *::test_wide (*:*min_speedup has a value for L0, L1,"),
    "some test has it": ("", "grid='L0'", ["--freeze-max-drop=L0:3"], ""),
    "an equal name": ("", "grid='L0'", ["--freeze-max-drop=l0:3,emb:1"], ""),
    "a flag narrows": ("", "grid='L0,L1', max_drop={'L0': 1, 'L1': 2}", ["--freeze-grid=L0"], ""),
    "a closer marker narrows": ("max_drop={'emb+L0': 1, 'emb': 1}", "grid='L1'", [], ""),
}


@pytest.mark.parametrize("case", WIDER)
def test_a_value_for_a_configuration_of_no_grid_is_refused(cases: Project, case: str) -> None:
    """A limit would be silently off. A stronger source than that of the values may narrow the grid."""
    of_class, of_function, arguments, message = WIDER[case]
    pytester = cases(LIMITED.format(of_class, of_function))
    result = pytester.runpytest_inprocess("--collect-only", "-q", *arguments)
    if not message:
        assert result.ret == pytest.ExitCode.OK
        return
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    end = "and the grid of no selected test has *, so that the value would hold for nothing. Add the configuration to *"
    result.stderr.fnmatch_lines([f"{message} {end}"])


LATE = """
import pytest

def pytest_collection_modifyitems(items):
    for item in items:
        item.add_marker(pytest.mark.freeze({}))
"""
ONE = "@freeze(grid='none,emb')\ndef test_it(freeze_run): print('HAS', {})\n"


@pytest.mark.parametrize(
    ("late", "now"), [("grid='none,L0'", "none, L0"), ("model={deep!r}, grid='all'", "none, emb, *")]
)
def test_a_marker_that_comes_too_late_is_refused(cases: Project, late: str, now: str, tmp_path: Path) -> None:
    """No configuration is added to a test that was collected."""
    write_model(tmp_path / "deep", n_layers=3)
    pytester = cases(ONE.format(0))
    pytester.makeconftest(LATE.format(late.format(deep=str(tmp_path / "deep"))))
    result = pytester.runpytest_inprocess("--collect-only")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        [
            (
                "ERROR: freeze marker of test_project.py::test_it (*): it would change the configurations "
                f"from none, emb to {now}, but was added after the test was collected. Set grid, model and num_layers *"
            )
        ]
    )


def test_a_late_marker_overrides_that_of_a_case(cases: Project) -> None:
    """What is added to a single test is the closest of its markers, so that none is ignored silently."""
    source = (
        "@pytest.mark.parametrize('own', [param(1, marks=freeze(grid='none,emb', seed=3))])\n"
        "def test_it(freeze_run, own): print('HAS', freeze_run.settings.seed)\n"
    )
    pytester = cases(source)
    pytester.makeconftest(LATE.format("seed=4"))
    pytester.runpytest_inprocess("-s").stdout.fnmatch_lines(["*HAS 4"])
    pytester.makeconftest(LATE.format("grid='L0'"))
    assert pytester.runpytest_inprocess().ret == pytest.ExitCode.USAGE_ERROR


def test_a_hook_may_leave_configurations_out(cases: Project, reach: Callable[..., list[str]], tmp_path: Path) -> None:
    """Its grid, or that of its model, decides what runs; the others are deselected, and the baseline is trained."""
    ran = reach()
    write_model(tmp_path / "flat", n_layers=1)
    pytester = cases("@freeze(grid='all')\ndef test_it(freeze_run): freeze_run()\n")
    pytester.makeconftest(LATE.format("grid='emb'"))
    pytester.runpytest_inprocess().assert_outcomes(passed=1, deselected=3)
    assert ran == ["none 42", "emb 42"]
    pytester.makeconftest(LATE.format(f"model={str(tmp_path / 'flat')!r}"))
    result = pytester.runpytest_inprocess("--collect-only", "-q")
    result.assert_outcomes(deselected=1)
    assert [line for line in result.outlines if "::" in line] == [
        f"test_project.py::test_it[{spec}]" for spec in ("none", "emb", "emb+L0")
    ]


def test_a_late_marker_sets_everything_else(cases: Project, tmp_path: Path) -> None:
    """Also the grid that the test has anyway, and a model of the same depth; a flag makes a late grid void."""
    write_model(tmp_path / "other")
    late = f"grid='emb,none', model={str(tmp_path / 'other')!r}, seed=5"
    pytester = cases(ONE.format("freeze_run.settings.model, freeze_run.settings.seed"))
    pytester.makeconftest(LATE.format(late))
    pytester.runpytest_inprocess("-s").stdout.fnmatch_lines([f"*HAS {tmp_path / 'other'} 5"])
    pytester.makeconftest(LATE.format("grid='L0'"))
    pytester.runpytest_inprocess("-s", "--freeze-grid=L1", "-Wdefault::pytest.PytestWarning").assert_outcomes(passed=1)


@pytest.mark.parametrize("hook", ["pytest_collection_finish(session)", "pytest_report_collectionfinish(items)"])
def test_a_marker_of_the_last_hooks_is_checked(cases: Project, hook: str) -> None:
    """Markers that are added after the check of all settings end in a sentence, too."""
    pytester = cases(ONE.format(0))
    items = "session.items" if "session" in hook else "items"
    pytester.makeconftest(
        f"import pytest\n@pytest.hookimpl(tryfirst=True)\ndef {hook}:\n"
        f"    for item in {items}: item.add_marker(pytest.mark.freeze(gird=1))"
    )
    result = pytester.runpytest_inprocess()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: freeze marker of test_project.py::test_it (*): there is no argument 'gird'*"])


FIXTURE = "@pytest.fixture\ndef late(request): request.node.add_marker(freeze({}))\n"


def test_a_marker_of_a_fixture_is_honoured(cases: Project, reach: Callable[..., list[str]]) -> None:
    """A fixture that comes after freeze_run may still change settings, as long as nothing is trained."""
    ran = reach()
    source = "@freeze(grid='none,emb')\ndef test_it(freeze_run, late): freeze_run()\n"
    pytester = cases(FIXTURE.format("seed=7") + source)
    pytester.runpytest_inprocess().assert_outcomes(passed=2)
    assert ran == ["none 7", "emb 7"]


@pytest.mark.parametrize(
    ("late", "sentence"),
    [
        ("grid='emb'", "freeze marker of test_project.py::test_it (*): it would change the configurations from none*"),
        ("gird='emb'", "freeze marker of test_project.py::test_it (*): there is no argument 'gird'*"),
        ("data='./nowhere'", "there is no file or folder './nowhere'*"),
    ],
)
def test_a_bad_marker_of_a_fixture_fails_the_test(
    cases: Project, reach: Callable[..., list[str]], late: str, sentence: str
) -> None:
    """The session has begun, so the test fails with the sentence and without a traceback; nothing is trained."""
    ran = reach()
    source = "@freeze(grid='none,emb')\ndef test_it(late, freeze_run): freeze_run()\n"
    result = cases(FIXTURE.format(late) + source).runpytest_inprocess("-Wdefault::pytest.PytestWarning")
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines([sentence])
    result.stdout.no_fnmatch_line("*Traceback*")
    assert ran == []


IDLE = "@pytest.mark.parametrize('max_train', {})\n{}def test_it(freeze_run, max_train): freeze_run()\n"


@pytest.mark.parametrize(
    ("values", "marker"),
    [
        ("[100, 200]", ""),
        ("[100]", ""),
        ("[100, 200]", "@freeze(max_train=50)\n"),
        ("[param(value, marks=freeze(max_train=50)) for value in (100, 200)]", ""),
        ("[param(100, marks=freeze(epochs=1)), 200]", ""),
    ],
)
def test_an_argument_named_like_a_setting_must_set_it(cases: Project, values: str, marker: str) -> None:
    """Its cases would be one experiment under several names; the sentence says how to make them differ."""
    result = cases(IDLE.format(values, marker)).runpytest_inprocess("--collect-only")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    errors = [line for line in result.errlines if line]
    assert len(errors) == 1
    result.stderr.fnmatch_lines(
        [
            (
                "ERROR: test_project.py::test_it[[]*[]] (test_project.py:7): max_train=* is an argument of the test *"
                "Write pytest.param(*, marks=pytest.mark.freeze(max_train=*)) to set it; *"
            )
        ]
    )


def test_a_test_that_does_not_train_has_any_arguments(cases: Project) -> None:
    """Nothing is trained twice if a test uses ``freeze_spec`` alone."""
    source = IDLE.format("[100, 200]", "").replace("freeze_run, ", "freeze_spec, ").replace("freeze_run()", "pass")
    cases(source).runpytest_inprocess("--freeze-grid=none").assert_outcomes(passed=2)


def test_a_fixture_may_make_a_setting_of_its_parameter(cases: Project, reach: Callable[..., list[str]]) -> None:
    """An indirect argument is no value of the test function, and its fixture may add the marker."""
    ran = reach()
    source = (
        "@pytest.fixture\ndef seed(request): request.node.add_marker(freeze(seed=request.param))\n"
        "@pytest.mark.parametrize('seed', [3, 4], indirect={})\n"
        "@freeze(grid='none')\ndef test_it(freeze_run, seed): freeze_run()\n"
    )
    cases(source.format("['seed']")).runpytest_inprocess().assert_outcomes(passed=2)
    cases(source.format("True")).runpytest_inprocess().assert_outcomes(passed=2)
    assert ran == ["none 3", "none 4"] * 2
    assert cases(source.format("False")).runpytest_inprocess().ret == pytest.ExitCode.USAGE_ERROR


def test_long_values_are_told_apart(cases: Project) -> None:
    """Models whose long names differ in the middle are two experiments, although messages shorten them."""
    names = [f"{'a' * 60}.{letter}.{'b' * 60}:make" for letter in "xy"]
    values = ", ".join(f"param({name!r}, marks=freeze(model={name!r}, num_layers=2))" for name in names)
    source = IDLE.replace("max_train", "model").format(f"[{values}]", "@freeze(grid='none')\n")
    assert cases(source).runpytest_inprocess("--collect-only").ret == pytest.ExitCode.OK


def test_an_argument_that_its_case_sets_is_a_setting(cases: Project, reach: Callable[..., list[str]]) -> None:
    """Two values are two experiments."""
    ran = reach()
    values = "[param(value, marks=freeze(max_train=value)) for value in (20, 30)]"
    pytester = cases(IDLE.format(values, "@freeze(grid='none,emb')\n"))
    pytester.runpytest_inprocess().assert_outcomes(passed=4)
    assert sorted(ran) == ["emb 42", "emb 42", "none 42", "none 42"]


SPECS = "@pytest.mark.parametrize('freeze_spec', ['none', 'emb']{})\ndef test_it({}): {}\n"


@pytest.mark.parametrize("indirect", ["", ", indirect=True"])
def test_freeze_spec_cannot_be_parametrized(cases: Project, indirect: str) -> None:
    """The sentence says how to write a grid; an argument of the same name without freeze_run is the test's own."""
    result = cases(SPECS.format(indirect, "freeze_run, freeze_spec", "freeze_run()")).runpytest_inprocess()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        [
            (
                "ERROR: test_project.py::test_it (test_project.py:7): freeze_spec is set by the grid of the test, and "
                'cannot be parametrized. Write @pytest.mark.freeze(grid="none,emb"), *'
            )
        ]
    )
    pytester = cases(SPECS.format(indirect, "freeze_spec", "assert str(freeze_spec) in ('none', 'emb')"))
    pytester.runpytest_inprocess().assert_outcomes(passed=2)


def test_a_fixture_of_the_project_does_not_change_what_trains(cases: Project, reach: Callable[..., list[str]]) -> None:
    """The id of the test says what is trained, whatever a fixture named ``freeze_spec`` returns."""
    ran = reach()
    pytester = cases(
        "@pytest.fixture\ndef freeze_spec(): return 'mine'\n"
        "@freeze(grid='none,L0')\ndef test_it(freeze_run, freeze_spec):\n"
        "    assert (freeze_run().freeze, freeze_spec) in (('none', 'mine'), ('L0', 'mine'))\n"
    )
    pytester.runpytest_inprocess().assert_outcomes(passed=2)
    assert ran == ["none 42", "L0 42"]
