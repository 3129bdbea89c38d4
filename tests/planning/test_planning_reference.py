"""The comparison with a saved run: limits that no training could decide are refused before it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from freezebench.config.settings import Settings, resolve
from freezebench.config.sources import Source
from freezebench.errors import SettingsError
from freezebench.planning.reference import Reference
from freezebench.planning.reference_check import PlannedTest
from freezebench.records.reference_search import RequestedRun
from freezebench.records.saved import SavedConfiguration, from_records
from freezebench.scoring.metrics import METRICS
from freezebench.specs.across import ACROSS
from freezebench.verdicts.judge import judge
from made_up import contended, seeds
from saved_runs import configuration, saved


def _settings(**values: str) -> Settings:
    flags = {"model": "tiny", "data": "made-up", "num_seeds": "5", **values}
    return resolve([Source(label="{flag}", values=flags)], lambda: ("embedded", "x"))


def _saved(num_contended: int) -> SavedConfiguration:
    runs = seeds("emb", num=6)
    disturbed = [contended(run) for run in runs[:num_contended]]
    return from_records("emb", [*disturbed, *runs[num_contended:]], node_id="t.py::test_it[emb]")


def _reference(num_contended: int, **values: str) -> Reference:
    old = _saved(num_contended)
    request = RequestedRun(option="--benchmark-compare", saved=saved(old))
    return Reference(request, [PlannedTest(settings=_settings(**values), configuration=replace(old, runs=()))])


@pytest.mark.parametrize("limit", ["max_time", "max_energy"])
def test_a_saved_run_of_a_busy_machine_limits_no_time(limit: str) -> None:
    """With fewer than five undisturbed saved runs nothing would ever be judged."""
    with pytest.raises(SettingsError, match="not comparable: 2 of 6 runs trained on a busy machine: up to 41 %"):
        _reference(2, **{limit: "1.1"})
    assert _reference(1, **{limit: "1.1"}).saved is not None


def test_a_saved_run_of_a_busy_machine_still_limits_memory() -> None:
    """Peak memory is not affected."""
    assert _reference(6, max_memory="1.1").notes == ()


def test_a_rate_that_trials_will_choose_is_compared_once_it_is_known() -> None:
    """Another one than the saved run's is refused before anything trains, unless rates are tuned."""
    old = _saved(0)
    new = replace(old, runs=(), protocol={**old.protocol, "learning_rate": 1e-3})
    request = RequestedRun(option="--benchmark-compare", saved=saved(old), is_required=True)
    usual, tuned = (
        [PlannedTest(settings=_settings(max_memory="1.1", **values), configuration=new)]
        for values in ({}, {"tune_lr": "yes"})
    )
    with pytest.raises(SettingsError, match="not comparable with"):
        Reference(request, usual)
    with pytest.raises(SettingsError, match="is not comparable: "):
        Reference(replace(request, is_required=False), usual)
    assert Reference(request, tuned).saved is not None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"metric": METRICS["macro-f1"]},
            r"metric accuracy → macro-f1\. Undo the change \(the metric has to be the same\)",
        ),
        ({"task": "multi-label"}, r"task sequence-classification → multi-label\. .* \(the task has to be the same\)"),
        (
            {"test_sets": {"far": "cd" * 32}},
            r"test set far sha256 abababababab → .* \(the test set has to be the same\)",
        ),
        (
            {"task": "multi-label", "test_sets": {"far": "cd" * 32}},
            r"\(the task and the test set have to be the same\)",
        ),
        ({"test_sets": {}}, ""),
        ({"test_sets": {"far": "ab" * 32, "near": "cd" * 32}}, ""),
    ],
    ids=["metric", "task", "test set", "two of them", "one less", "one more"],
)
def test_another_metric_task_or_test_set_is_refused_before_training(changes: dict[str, Any], message: str) -> None:
    """Nothing admits it; a further test set that only one side has leaves the rest comparable."""
    old = replace(_saved(0), test_sets={"far": "ab" * 32})
    tests = [PlannedTest(settings=_settings(), configuration=replace(old, runs=(), **changes))]
    request = RequestedRun(option="--benchmark-compare", saved=saved(old), is_required=True)
    if not message:
        assert Reference(request, tests, across=ACROSS).notes == ()
        return
    with pytest.raises(SettingsError, match=message):
        Reference(request, tests, across=ACROSS)


def test_a_limit_against_a_saved_run_names_the_unit_of_the_metric() -> None:
    """And the side on which a loss lies: an error may rise, not fall."""
    old = _saved(0)
    new = replace(old, runs=(), metric=METRICS["log-loss"])
    settings = _settings(metric="log-loss", margin="0.1", max_regression="0.05")
    request = RequestedRun(option="--benchmark-compare", saved=None)
    with pytest.raises(SettingsError, match=r"is limited to 0\.05 nats above the saved run, but there is no saved run"):
        Reference(request, [PlannedTest(settings=settings, configuration=new)])


def test_what_is_not_run_needs_no_partner() -> None:
    """That it is not run is known after its model was loaded; only then a limit without a partner is refused."""
    old = _saved(0)
    new = replace(old, freeze="emb+L0", node_id="t.py::test_it[emb+L0]", runs=())
    tests = [
        PlannedTest(settings=_settings(max_memory="1.1"), configuration=configuration)
        for configuration in (replace(old, runs=()), new)
    ]
    reference = Reference(RequestedRun(option="--benchmark-compare", saved=saved(old)), tests)
    with pytest.raises(SettingsError, match=r"emb\+L0\] is limited to 1\.1× .* holds no such configuration"):
        reference.take_plan(lambda *_: True)
    allowed = Reference(RequestedRun(option="--benchmark-compare", saved=saved(old)), tests, allowed=("emb+L0",))
    allowed.take_plan(lambda *_: True)
    reference.take_plan(lambda _, freeze: freeze == "emb")
    comparison = reference.comparison()
    assert comparison is not None
    assert (comparison.only_new, comparison.only_old, comparison.not_run) == ((), (), ("t.py::test_it[emb]",))


def _planned(*specs: str, grid: str = "", num_seeds: str = "5", test: str = "t.py::test_it") -> list[PlannedTest]:
    """Return planned tests of a function with this grid, that of its tests unless it is named."""
    return [
        PlannedTest(
            settings=_settings(num_seeds=num_seeds),
            configuration=replace(configuration(spec, test=test), runs=()),
            grid=frozenset((grid or ",".join(specs)).split(",")),
        )
        for spec in specs
    ]


def _request(*specs: str, **options: Any) -> RequestedRun:
    """Return a required run of these configurations."""
    run = saved(*(configuration(spec, **options) for spec in specs))
    return RequestedRun(option="--benchmark-compare=0001", saved=run, is_required=True)


def _judged(reference: Reference, *specs: str, accuracy: float = 0.9) -> Reference:
    """Return the reference after these tests have run."""
    for spec in specs:
        records = seeds(spec, accuracy=accuracy)
        result = judge(spec, records, records, margin_pp=2, limit_pp=None)
        reference.judge(f"t.py::test_it[{spec}]", _settings(), result)
    return reference


def test_a_session_with_a_decided_comparison_has_no_complaint() -> None:
    """One decided configuration is enough; the others follow --freeze-inconclusive."""
    reference = Reference(_request("none", "emb"), _planned("none", "emb"))
    assert [sentence.partition(" against")[0] for sentence in reference.complaints()] == ["INCONCLUSIVE: no verdict"]
    _judged(reference, "emb", accuracy=0.88)
    assert len(reference.complaints()) == 1
    assert _judged(reference, "none").complaints() == []


@pytest.mark.parametrize(
    ("held", "planned", "grid", "sentence"),
    [
        ("none", "none,emb", "none,emb", "not in the saved run: t.py::test_it[emb]. "),
        ("none,emb", "none", "none", "only in the saved run: t.py::test_it[emb]. "),
        ("none,emb", "none", "none,emb", None),  # not selected
        ("none,emb", "none,head", "none,head", "not in the saved run: t.py::test_it[head]; only in the saved run: "),
    ],
)
def test_a_configuration_without_partner_is_a_complaint(
    held: str, planned: str, grid: str, sentence: str | None
) -> None:
    """Unless it is allowed, or its test still has it and was not selected."""
    tests = _planned(*planned.split(","), grid=grid)
    complaints = _judged(Reference(_request(*held.split(",")), tests), "none").complaints()
    assert [sentence is not None and sentence in text for text in complaints] == ([True] if sentence else [])
    allowed = Reference(_request(*held.split(",")), tests, allowed=("emb", "head"))
    assert _judged(allowed, "none").complaints() == []


def test_tests_of_another_function_need_no_partner() -> None:
    """Another session may run them."""
    run = saved(configuration("none"), configuration("emb", test="other.py::test_other"))
    reference = Reference(RequestedRun(option="x", saved=run), _planned("none"))
    assert _judged(reference, "none").complaints() == []
    comparison = reference.comparison()
    assert comparison
    assert comparison.only_old == ("other.py::test_other[emb]",)


def test_the_baseline_of_a_report_needs_no_test() -> None:
    """A report has it in any case; what it has of other configurations was dropped."""
    held = saved(*(replace(configuration(spec), node_id=None) for spec in ("none", "emb", "head")))
    reference = Reference(RequestedRun(option="x", saved=held), _planned("emb"))
    complaints = _judged(reference, "emb").complaints()
    assert len(complaints) == 1
    assert "only in the saved run: head (tiny on made-up). " in complaints[0]


def test_a_configuration_that_repeats_another_one_needs_no_partner() -> None:
    """It is not run, in the saved run neither."""
    reference = _judged(Reference(_request("none"), _planned("none", "emb")), "none")
    assert len(reference.complaints()) == 1
    reference.leave_out("t.py::test_it[emb]")
    assert reference.complaints() == []


def test_what_could_not_be_compared_is_refused_where_it_is_required() -> None:
    """With what differs, once for all configurations; or with what both have."""
    tests = _planned("none", "emb")
    held = saved(*(replace(configuration(spec), model="m") for spec in ("none", "emb")))
    other = replace(_request(), saved=held)
    with pytest.raises(SettingsError) as caught:
        Reference(other, tests)
    assert str(caught.value).startswith(
        "--benchmark-compare=0001: not comparable with 0001_old.json: t.py::test_it[none], t.py::test_it[emb]: model m "
        "→ tiny. Undo the change, compare across it with --freeze-compare-across=model, or save a new one: "
    )
    assert Reference(other, tests, across=("model",)).notes == ()
    # Elsewhere the session begins with it, since what it trains cannot be compared.
    assert Reference(replace(other, is_required=False), tests).notes == (str(caught.value),)
    with pytest.raises(
        SettingsError, match=r"nothing could be compared: 0001_old.json holds t.py::test_it\[head\], and"
    ):
        Reference(_request("head"), tests)


def test_what_was_not_compared_is_not_told_to_use_more_seeds() -> None:
    """The complaint names what differs, or that nothing ran; where figures were compared, more of them may decide."""
    other = replace(_request(), saved=saved(replace(configuration("none"), model="m")), is_required=False)
    for reference, remedy in (
        (
            _judged(Reference(other, _planned("none")), "none"),
            ": model m → tiny. Name another saved run, or save a new one.",
        ),
        (Reference(_request("none"), _planned("none")), ": none of them ran. Run at least one of them."),
        (
            _judged(Reference(_request("emb"), _planned("emb")), "emb", accuracy=0.88),
            "a larger --freeze-max-regression.",
        ),
    ):
        (complaint,) = reference.complaints()
        assert complaint.endswith(remedy)


def test_an_invalid_partner_is_refused_unless_it_is_allowed() -> None:
    """A report keeps what broke."""
    fault = replace(configuration("emb"), broken="seed 42: out of memory.")
    request = RequestedRun(option="x", saved=saved(configuration("none"), fault), is_required=True)
    with pytest.raises(SettingsError, match=r"t.py::test_it\[emb\]: it is invalid there: seed 42: out of memory\. "):
        Reference(request, _planned("none", "emb"))
    reference = Reference(request, _planned("none", "emb"), allowed=("emb",))
    assert _judged(reference, "none", "emb").complaints() == []


def test_one_seed_is_a_note_outside_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    """On either side; in continuous integration it is refused."""
    for request, tests in (
        (_request("emb"), _planned("emb", num_seeds="1")),
        (_request("emb", num=1), _planned("emb")),
    ):
        (note,) = Reference(request, tests).notes
        assert "one seed cannot tell training noise from a change" in note
        with monkeypatch.context() as patch:
            patch.setenv("TEAMCITY_VERSION", "2025.07")
            with pytest.raises(SettingsError, match="one seed cannot tell"):
                Reference(request, tests)


def test_the_anchor_limits_accuracy_alone() -> None:
    """Its figures of time come from whatever machine made them."""
    tests = [replace(test, settings=_settings(max_time="1.1")) for test in _planned("emb")]
    elsewhere = [replace(t, configuration=replace(t.configuration, device_name="another")) for t in tests]
    with pytest.raises(SettingsError, match="device a CPU → another"):
        Reference(_request("emb"), elsewhere)
    reference, records = Reference(_request("emb"), elsewhere, is_anchor=True), seeds("emb")
    result = judge("emb", records, records, margin_pp=2, limit_pp=None)
    parts = reference.judge("t.py::test_it[emb]", tests[0].settings, result)
    assert [part.quantity for part in parts] == ["accuracy"]
    assert "points below the anchor" in parts[0].sentence
