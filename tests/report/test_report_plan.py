"""The plan as text."""

from __future__ import annotations

from dataclasses import replace

import pytest

import made_up_tasks
from freezebench.config.settings import Settings, resolve
from freezebench.config.sources import Source
from freezebench.records.data_facts import DataFacts
from freezebench.report.durations import ExpectedDurations
from freezebench.report.plan import (
    data_lines,
    devices_line,
    duration_line,
    experiment_line,
    resolution_line,
    run_table,
    settings_lines,
    size_line,
)
from freezebench.specs.data import DataSpec, NamedSource
from freezebench.specs.slots import Slot
from made_up import facts, record


def _settings(**flags: str) -> Settings:
    values = {"model": "tiny", "data": "made-up", **flags}
    return resolve([Source(label="{flag}", values=values)], lambda: ("embedded", "x"))


def _resolution(settings: Settings, data: DataFacts) -> str:
    line = resolution_line(settings, data)
    assert line is not None
    return line


def test_the_plan_names_the_looks() -> None:
    """The first seeds, and the last one that may be trained."""
    lines = "\n".join(settings_lines(_settings(num_seeds="3,5,8")))
    assert (
        "seeds 42, 43, 44, and up to 49 while a verdict is inconclusive (judged after 3, then 5, then 8 seeds)" in lines
    )


def test_the_resolved_margin_is_shown_for_every_look() -> None:
    """About 2.2 points for 3 seeds on 872 sentences, 1.4 for 5 on 1821, as the design computed."""
    assert "(80 % power): 2.2 points with 3 seeds" in _resolution(_settings(num_seeds="3"), facts(872))
    assert "1.4 points with 5 seeds" in _resolution(_settings(num_seeds="5"), facts(1821))
    line = _resolution(_settings(num_seeds="3,5,8"), facts(872))
    assert all(f"points with {count} seeds" in line for count in (3, 5, 8))
    assert "expect inconclusive verdicts" in _resolution(_settings(num_seeds="3"), facts(100))


def test_repeated_test_sentences_resolve_nothing() -> None:
    """The plan resolves what the distinct sentences do, and names both numbers."""
    line = _resolution(_settings(num_seeds="3"), facts(8720, num_distinct=872))
    assert "margin that 8,720 test sentences (872 distinct) can show (80 % power): 2.2 points with 3 seeds" in line


def test_the_table_of_runs_stays_aligned_in_a_narrow_terminal() -> None:
    """Names that are too wide go on below, as whole as they are, and every line fits."""
    settings = _settings(num_seeds="3")
    names = ["none", "emb", "emb+L0-2+lora(r=64,alpha=128,targets=linear,dropout=0.1)"]
    runs = [settings.run_spec(name, seed) for name in names for seed in settings.seeds[:3]]
    for width, is_wide in ((140, True), (100, False), (80, False)):
        table = run_table(settings, runs, runs, None, num_train=6000, width=width)
        assert max(map(len, table)) <= width
        rule = next(number for number, line in enumerate(table) if line.startswith("---"))
        assert {len(line) for line in table[rule:] if line.endswith(("unknown", "-"))} == {len(table[rule])}
        name_width = len(table[rule].split()[0])
        assert names[2] in "".join(line[:name_width].strip() for line in table[rule + 1 :])
        assert ("learning rate" in table[0]) is is_wide


def test_the_plan_says_what_would_resolve_a_smaller_margin() -> None:
    """Numbers are named where they suffice, and none where none does."""
    line = _resolution(_settings(num_seeds="3", margin="2"), facts(872))
    assert line.endswith("about 4 seeds (--freeze-num-seeds=4) or 1,400 test sentences would be enough")
    few = _resolution(_settings(num_seeds="3", margin="2"), facts(100))
    assert few.endswith(": about 1,300 test sentences would be enough")
    both = _resolution(_settings(num_seeds="3", margin="1"), facts(872))
    assert both.endswith(": both more seeds and more test sentences are needed")
    none = _resolution(_settings(num_seeds="3", margin="0.1"), facts(872))
    assert none.endswith(": it is too small even for 100 seeds with 1,000,000 test sentences")
    assert "would resolve" not in _resolution(_settings(num_seeds="3", margin="3"), facts(872))


def test_devices_that_train_at_the_same_time() -> None:
    """By model; a processor that several share gives no times."""
    gpus = {Slot(name=f"cuda:{number}"): "H200" if number < 9 else "A100" for number in range(10)}
    assert devices_line(gpus) == (
        "freezebench: 10 runs at a time train on cuda:0, cuda:1, cuda:2, cuda:3, cuda:4, cuda:5, cuda:6, cuda:7 and 1 "
        "more (H200); cuda:9 (A100)"
    )
    cpus = {Slot(name=f"cpu:{number}", shares_processor=True): "EPYC" for number in range(2)}
    assert devices_line(cpus) == (
        "freezebench: 2 runs at a time train on cpu:0, cpu:1 (EPYC); times of runs that share a processor are not "
        "measured"
    )
    node = {Slot(name="vm cuda:0"): "H200"}
    assert devices_line(node, "a:1") == "freezebench: 1 run at a time trains on vm cuda:0 (H200) of the Ray cluster a:1"


def test_the_duration_names_the_number_of_devices() -> None:
    """If there are several."""
    expected = ExpectedDurations(seconds={"none": 60.0}, total_s=120.0, num_known=4, source="a report", num_slots=2)
    assert duration_line(4, 4, expected).startswith(
        "freezebench: 4 runs: training and evaluation take about 2 min on 2 devices, by the median times of a report"
    )


@pytest.mark.parametrize(("num_runs", "which"), [(5, "2 of them"), (8, "2 of the other 5")])
def test_the_duration_is_that_of_the_runs_whose_times_are_known(num_runs: int, which: str) -> None:
    """How many these are is said."""
    expected = ExpectedDurations(seconds={"none": 60.0}, total_s=120.0, num_known=2, source="a report")
    line = duration_line(num_runs, 5, expected)
    assert f"training and evaluation of {which} take about 2 min, by the median times of a report; " in line
    assert line.endswith("; how long the others take is unknown, and loading is not included")


def test_the_runs_of_a_search_are_one_number_where_every_search_takes_as_many() -> None:
    """A single prefix, or a ladder on which every answer takes equally many trials, has no range."""
    settings = _settings(grid="search", num_seeds="2")
    assert "over 1 prefix, of which at most 1 trains, each with 2 seeds: 4 runs," in size_line(settings, ["emb+L0"])
    ladder = ["none", "emb", *(f"emb+L0-{depth}" for depth in range(1, 7))]
    assert "over 7 prefixes, of which at most 3 train, each with 2 seeds: 8 runs," in size_line(settings, ladder)


def test_a_search_names_the_configurations_besides_it() -> None:
    """They train in any case."""
    line = size_line(_settings(grid="search,head", num_seeds="2"), ["none", "emb", "head"])
    assert line.endswith("those of the unfrozen baseline included, and 1 other configuration")


def test_a_search_is_one_in_the_line_of_an_experiment_too() -> None:
    """Its configurations do not all train."""
    line = experiment_line(_settings(grid="search", num_seeds="2"), ["none", "emb", "emb+L0", "emb+L0-1"])
    assert "4 configurations" not in line
    assert "search over 3 prefixes, of which at most 2 train, each with 2 seeds: 6 runs" in line


def test_the_resolution_of_another_metric_is_not_made_up() -> None:
    """The figures of the plan rest on assumptions about accuracies of sentences."""
    line = _resolution(_settings(num_seeds="3", metric="mcc"), facts(872))
    assert line.endswith(
        "how small a drop of Matthews correlation can be shown with 872 test sentences is known after the first runs"
    )
    tokens = made_up_tasks.run("token-classification").data
    assert tokens is not None
    assert "a drop of entity F1 can be shown with 300 test sentences" in _resolution(_settings(num_seeds="3"), tokens)


def test_sizes_name_labels_groups_and_further_test_sets() -> None:
    """What an interval counts is said for each test set."""
    data = made_up_tasks.run("multi-label", **made_up_tasks.divided("multi-label")).data
    assert data is not None
    assert data_lines(data, "product") == [
        (
            "freezebench: 100 training, 50 validation and 300 test sentences in 150 groups (product) of 3 labels; "
            "test set tweets: 200 sentences; test set few: 12 sentences"
        )
    ]
    own = record().data
    assert own is not None
    drawn = "There is no test split: 400 of the 500 train examples became it (drawn)."
    separated, bad = "Labels were separated at ';'.", "Bad rows: 2 of 552 rows of x.csv were left out."
    assert data_lines(replace(own, notes=("A note.", separated, bad, drawn))) == [
        "freezebench: 100 training, 50 validation and 400 test sentences of 2 classes",
        "freezebench: labels were separated at ';'.",
        "freezebench: bad rows: 2 of 552 rows of x.csv were left out.",
        "freezebench: there is no test split: 400 of the 500 train examples became it (drawn).",
    ]
    made = _settings()
    spec = DataSpec(
        source="made-up", group_column="product", test_sets=(NamedSource(name="tweets", source="reviews:tweets"),)
    )
    lines = settings_lines(replace(made, data=spec))
    assert "data made-up, groups by product, test set tweets of reviews:tweets, grid" in lines[1]
