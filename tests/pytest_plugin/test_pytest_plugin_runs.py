"""Whole sessions of the plugin: outcomes, summary, report, pytest-benchmark."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from report_schema import read_report

Project = Callable[..., pytest.Pytester]

WIDE = "max_drop=90, num_seeds=3"
INCONCLUSIVE_FAILS = "--freeze-inconclusive=fail"
# Within the interval of the drop of emb+L0, and wide enough for the design to resolve.
INCONCLUSIVE_LIMIT = 12


def assert_repeated_at_the_end(lines: list[str]) -> None:
    """Check that the session's last lines are the answer, which also is the first line of the summary."""
    first = next(index for index, line in enumerate(lines) if "= freezebench: " in line) + 1
    last = [line for line in lines if line][-2:]
    assert lines[first] == last[0]
    assert last[1] in lines[first : first + 5]


def test_a_grid_runs_and_is_reported_everywhere(project: Project, tmp_path: Path) -> None:
    """One outcome per configuration, the same in table, report, benchmark JSON and JUnit."""
    report, saved, junit = tmp_path / "report", tmp_path / "b.json", tmp_path / "j.xml"
    result = project(WIDE).runpytest_inprocess(
        f"--freeze-report={report}", f"--benchmark-json={saved}", f"--junitxml={junit}", "-v"
    )
    result.assert_outcomes(passed=4)
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        [
            "*test_it[[]none[]]*",
            "*[[]1/12[]] none seed 42: test accuracy * trained in *",
            "*test_it[[]emb[]]*",
            "*test_it[[]emb+L0[]]*",
            "*test_it[[]emb+L0-1[]]*",
            "*= freezebench: * on * =*",
            "none  *baseline*100.0 %*",
            "emb  *",
            "emb+L0-1  *",
            "majority class *50.0*",
            "Setting: *48 training and 40 test sentences;*3 seeds.",
            "Conclusive verdicts: * of 3 at their limits (freeze marker of test_project.py::*); * of 3 at the margin *",
            "*benchmark: 4 tests*",
            "*= 4 passed*in *",
        ]
    )
    assert_repeated_at_the_end(result.outlines)
    benchmarks = {bench["param"]: bench for bench in json.loads(saved.read_text(encoding="utf-8"))["benchmarks"]}
    assert list(benchmarks) == ["none", "emb", "emb+L0", "emb+L0-1"]
    info = benchmarks["emb+L0"]["extra_info"]["freezebench"]
    configurations = read_report(report)["experiments"][0]["configurations"]
    runs = configurations[2]["runs"]
    train_s = [run["readings"]["train_s"]["value"] for run in runs]
    # Recorded seconds reach pytest-benchmark as sums and differences of a clock.
    assert benchmarks["emb+L0"]["stats"]["data"] == pytest.approx(train_s)
    assert benchmarks["emb+L0"]["stats"]["rounds"] == 3
    assert info["limit_pp"] == 90
    assert [run["seed"] for run in info["runs"]] == [42, 43, 44]
    assert info["peak_memory_bytes"] > 0
    assert info["energy_j"] is None or info["energy_j"] > 0
    properties = {p.get("name"): p.get("value") for p in ET.parse(junit).getroot().iter("property")}  # noqa: S314 - ours
    assert float(str(properties["freezebench_accuracy"])) == pytest.approx(configurations[3]["accuracy"])
    assert sorted(path.name for path in report.iterdir()) == [
        "index.html",
        "pictures",
        "report.csv",
        "report.json",
        "report.md",
    ]


def test_too_large_a_drop_fails_its_test_alone(project: Project, tmp_path: Path) -> None:
    """The failure is INFERIOR with limit and observation, and is not saved as the next reference."""
    saved = tmp_path / "b.json"
    result = project("max_drop={'emb': 90, 'emb+L0-1': 1}").runpytest_inprocess(
        "--freeze-grid=none,emb,emb+L0-1", "--freeze-num-seeds=3", f"--benchmark-json={saved}"
    )
    result.assert_outcomes(passed=2, failed=1)
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        ["*INFERIOR: emb+L0-1 is not within 1 point of no freezing: drop * lower bound *, 3 seeds.*"]
    )
    names = [bench["param"] for bench in json.loads(saved.read_text(encoding="utf-8"))["benchmarks"]]
    assert names == ["none", "emb"]


@pytest.mark.parametrize(
    ("policy", "outcomes", "code"),
    [("skip", {"passed": 1, "skipped": 1}, 0), ("pass", {"passed": 2}, 0)],
)
def test_undecided_tests_follow_the_policy(project: Project, policy: str, outcomes: dict[str, int], code: int) -> None:
    """One seed never decides; the table still shows the drop with its interval over sentences."""
    result = project("num_seeds=1, max_drop=5").runpytest_inprocess(
        "--freeze-grid=none,emb", f"--freeze-inconclusive={policy}", "-rs"
    )
    result.assert_outcomes(**outcomes)
    assert result.ret == code
    result.stdout.fnmatch_lines(
        [
            "emb *inconclusive  INCONCLUSIVE *[[]*,*[]]*",
            "Conclusive verdicts: 0 of 1 at their limits (*); 0 of 1 at the margin of 2 points.",
        ]
    )
    if policy == "skip":
        result.stdout.fnmatch_lines(
            ["SKIPPED*INCONCLUSIVE: emb is not shown to be within 5 points of no freezing: drop *"]
        )


def test_a_run_that_could_only_fail_is_refused(project: Project) -> None:
    """Undecided fails and one seed decides nothing: exit code 4, nothing is trained."""
    result = project("num_seeds=1, max_drop=5").runpytest_inprocess("--freeze-grid=none,emb", INCONCLUSIVE_FAILS)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*emb is limited to 5 points*can show no verdict at best: the run could only fail.*"])


@pytest.mark.slow
def test_undecided_fails_where_that_is_the_policy(project: Project) -> None:
    """A limit within the interval is INCONCLUSIVE after the last look; the message has the number of seeds."""
    result = project(f"num_seeds='2,3', max_drop={INCONCLUSIVE_LIMIT}").runpytest_inprocess(
        "--freeze-grid=none,emb+L0", INCONCLUSIVE_FAILS
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*INCONCLUSIVE: emb+L0 is not shown to be within *, 3 seeds; *if its drop stays at *"])


def test_undecided_is_not_green_in_ci(project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With CI set, a session that decides nothing fails, in the exit code and in JUnit."""
    pytester = project("num_seeds=1, max_drop=5")
    monkeypatch.setenv("CI", "true")
    result = pytester.runpytest_inprocess("--freeze-grid=none,emb", f"--junitxml={tmp_path / 'j.xml'}")
    assert result.ret == 1
    result.assert_outcomes(passed=1, skipped=1, failed=1)
    result.stdout.fnmatch_lines(["*INCONCLUSIVE: no candidate has a conclusive verdict (0 of 1).*"])
    assert ET.parse(tmp_path / "j.xml").getroot()[0].get("failures") == "1"  # noqa: S314 - ours


@pytest.mark.slow
def test_the_baseline_runs_on_demand(project: Project) -> None:
    """A candidate selected alone is compared with a baseline that is trained for it and shown."""
    result = project(WIDE).runpytest_inprocess("test_project.py::test_it[emb+L0]", "--freeze-num-seeds=3")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(
        [
            "freezebench: 1 configuration with 3 seeds; the unfrozen baseline runs as well*",
            "*[[]6/6[]] emb+L0 seed 44*",
            "none *baseline*",
            "emb+L0 *",
        ]
    )


@pytest.mark.slow
def test_baselines_come_first_in_any_order(project: Project) -> None:
    """Node ids in another order still start with the baseline."""
    ids = [f"test_project.py::test_it[{spec}]" for spec in ("emb", "none")]
    result = project(WIDE).runpytest_inprocess("-v", *ids)
    lines = [line for line in result.outlines if line.startswith("test_project.py::test_it")]
    assert lines[0].startswith("test_project.py::test_it[none]")


@pytest.mark.slow
def test_an_interruption_shows_finished_configurations_and_no_traceback(project: Project) -> None:
    """Ctrl-C in the first run leaves nothing to show; in the last one, the finished configurations."""
    pytester = project(WIDE)
    for last_run, shown in ((("none", 42), False), (("emb", 44), True)):
        pytester.makeconftest(
            f"""
            import freezebench.runs.experiment as experiment
            real = experiment.run
            def run(spec, **options):
                if (spec.freeze, spec.seed) == {last_run!r}:
                    raise KeyboardInterrupt
                return real(spec, **options)
            experiment.run = run
            """
        )
        result = pytester.runpytest_subprocess("--freeze-grid=none,emb", "--freeze-isolate=none")
        assert result.ret == pytest.ExitCode.INTERRUPTED
        assert ("none " in result.stdout.str() and "baseline" in result.stdout.str()) is shown
        result.stdout.no_fnmatch_line("*Traceback*")
        result.stdout.no_fnmatch_line("*fixture was not used*")


@pytest.mark.usefixtures("without_matplotlib")
def test_paths_are_relative_to_the_starting_folder(project: Project, tiny_data: Path) -> None:
    """A test that changes its folder still finds model, data and report."""
    pytester = project(WIDE)
    (pytester.path / "data").symlink_to(tiny_data)
    pytester.makeconftest(
        """
        import pytest

        @pytest.fixture(autouse=True)
        def elsewhere(tmp_path, monkeypatch):
            monkeypatch.chdir(tmp_path)
        """
    )
    result = pytester.runpytest_inprocess("--freeze-grid=none", "--freeze-data=data", "--freeze-report=out")
    result.assert_outcomes(passed=1)
    assert (pytester.path / "out" / "report.json").is_file()


@pytest.mark.usefixtures("without_matplotlib")
def test_a_report_names_the_tests_that_ran(project: Project) -> None:
    """A function whose whole grid ran is named by itself; of a selection, every case is."""
    pytester = project(WIDE)
    arguments = ("--freeze-grid=none,emb", "--freeze-report=out", "--freeze-num-seeds=1")

    def tests() -> object:
        content = json.loads((pytester.path / "out" / "report.json").read_text(encoding="utf-8"))
        return content["experiments"][0]["tests"]

    pytester.runpytest_inprocess(*arguments, "-k", "none")
    assert tests() == ["test_project.py::test_it[none]"]
    pytester.runpytest_inprocess(*arguments)
    assert tests() == ["test_project.py::test_it"]
    page = (pytester.path / "out" / "index.html").read_text(encoding="utf-8")
    assert "pytest test_project.py::test_it --freeze-preset" in page


@pytest.mark.slow
def test_without_a_limit_the_verdict_is_shown_and_nothing_asserted(project: Project) -> None:
    """A model or data set that is not the preset's has no documented cost."""
    result = project().runpytest_inprocess("--freeze-grid=none,emb")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(
        ["emb *in*", "Conclusive verdicts: * of 1 at the margin of 2 points; no limit is asserted."]
    )


def test_comparison_with_a_saved_run(project: Project) -> None:
    """Saved and current figures are shown together; configurations without a partner are listed."""
    pytester = project(WIDE)
    assert pytester.runpytest_inprocess("--freeze-grid=none,emb", "--benchmark-autosave").ret == 0
    result = pytester.runpytest_inprocess("--benchmark-compare", "--freeze-grid=none,emb+L0")
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        [
            "freezebench: compared with the run of *, saved → now",
            "none *→*",
            "Not in the saved run: test_project.py::test_it[[]emb+L0[]].",
            "Only in the saved run: test_project.py::test_it[[]emb[]].",
            "*test_it[[]none[]] (0001_*",
        ]
    )
    result.stdout.no_fnmatch_line("*another CPU model*")


@pytest.mark.slow
@pytest.mark.parametrize("option", [["-p", "no:benchmark", "--strict-markers"], ["--benchmark-disable"]])
def test_pytest_benchmark_may_be_off(project: Project, option: list[str]) -> None:
    """All seeds train and the gate holds; only the recording is off."""
    result = project(WIDE).runpytest_inprocess("--freeze-grid=none,emb", *option)
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*[[]6/6[]] emb seed 44: test accuracy*", "none *baseline*"])


CUSTOM = '''
import pytest
import torch
from transformers import AutoTokenizer

class Bag(torch.nn.Module):
    """A classifier that is no transformers model, its layers in a list."""
    def __init__(self, num_labels):
        super().__init__()
        self.table = torch.nn.Embedding(64, 16)
        self.blocks = torch.nn.ModuleList(torch.nn.Linear(16, 16) for _ in range(3))
        self.out = torch.nn.Linear(16, num_labels)

    def forward(self, input_ids, attention_mask):
        weights = attention_mask.unsqueeze(-1).float()
        hidden = (self.table(input_ids) * weights).sum(1)
        for block in self.blocks:
            hidden = hidden + torch.relu(block(hidden))
        return self.out(hidden)

def make(num_labels):
    torch.manual_seed(0)
    return Bag(num_labels), AutoTokenizer.from_pretrained({tokenizer!r})

make.num_layers = 3

def broken(num_labels):
    model, tokenizer = make(num_labels)
    model.out.weight.data.fill_(float("nan"))
    return model, tokenizer

broken.num_layers = 3

@pytest.mark.freeze(
    model="test_custom:make", data={data!r}, epochs=6, lr=1e-2, batch_size=8, precision="float32", device="cpu"
)
def test_bag(freeze_run, freeze_spec):
    result = freeze_run()
    assert len(result.records) == 3
    assert result.records[0].data.label_names == ("0", "1", "2")
    assert result.records[0].num_layers == 3
    if freeze_spec.is_none:
        assert result.records[0].test.accuracy > 0.6

@pytest.mark.freeze(model="test_custom:broken", data={data!r}, grid="none,emb", epochs=2, device="cpu")
def test_broken(freeze_run):
    freeze_run()
'''


def test_a_custom_model_on_three_classes(project: Project, tiny_model: Path, three_class_data: Path) -> None:
    """A plain torch module made by a factory, and a data set of three classes, through the fixture."""
    pytester = project()
    pytester.makepyfile(test_custom=CUSTOM.format(tokenizer=str(tiny_model), data=str(three_class_data)))
    pytester.syspathinsert()
    result = pytester.runpytest_inprocess("test_custom.py", "-k", "bag", "--freeze-num-seeds=3")
    result.assert_outcomes(passed=5, deselected=2)
    result.stdout.fnmatch_lines(["none *", "emb *", "emb+L0 *", "emb+L0-1 *", "emb+L0-2 *"])


def test_a_run_that_breaks_fails_with_its_cause(project: Project, tiny_model: Path, three_class_data: Path) -> None:
    """A loss that is not finite is INVALID, its candidates with it, and nothing is trained against it."""
    pytester = project()
    pytester.makepyfile(test_custom=CUSTOM.format(tokenizer=str(tiny_model), data=str(three_class_data)))
    pytester.syspathinsert()
    result = pytester.runpytest_inprocess("test_custom.py", "-k", "broken")
    result.assert_outcomes(failed=2, deselected=5)
    result.stdout.fnmatch_lines(
        [
            "*none seed 42: invalid: non-finite loss: the training loss was nan at step 1*",
            "INVALID: none: seed 42: non-finite loss: the training loss was nan at step 1",
            "INVALID: emb: the unfrozen baseline is invalid",
            "The experiment failed: the unfrozen baseline is invalid: seed 42: non-finite loss: *",
            "Try --freeze-lr=*: at * the loss became infinite or not a number.",
            "The experiment failed: the unfrozen baseline is invalid.",
            "Try --freeze-lr=*: at * the loss became infinite or not a number.",
            "*INVALID: nothing is compared, since the unfrozen baseline is invalid. Remove the cause, which its *",
        ]
    )
    # Progress, the test's failure in two places of pytest's, and the answer.
    assert sum("non-finite loss" in line for line in result.outlines) == 4
    assert not [line for line in result.outlines if "emb seed" in line]
