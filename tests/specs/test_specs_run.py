"""Run specs and presets."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freezebench.config.settings import resolve
from freezebench.errors import RecordError, SettingsError
from freezebench.specs.data import DataSpec
from freezebench.specs.names import PRESET_NAMES
from freezebench.specs.notebook_figures import PUBLISHED
from freezebench.specs.presets import PRESETS, preset
from freezebench.specs.run import Protocol, RunSpec

RUNS = st.builds(
    RunSpec,
    model=st.text(min_size=1, max_size=10),
    data=st.builds(
        DataSpec,
        source=st.text(min_size=1, max_size=10),
        max_train=st.one_of(st.none(), st.integers(2, 9)),
        bad_rows=st.sampled_from(["error", "drop"]),
    ),
    freeze=st.sampled_from(["none", "L0+emb", "emb+L0-3", "head"]),
    seed=st.integers(0, 2**31),
    protocol=st.builds(Protocol, learning_rate=st.floats(1e-6, 1.0), num_epochs=st.integers(1, 9)),
)


@given(RUNS)
def test_json_round_trip_keeps_the_hash(spec: RunSpec) -> None:
    """A run spec and its hash are restored from JSON."""
    again = RunSpec.from_json(json.loads(json.dumps(spec.to_json())))
    assert again == spec
    assert again.run_id == spec.run_id


def test_equal_requests_have_equal_hashes() -> None:
    """Another notation of the freeze spec is the same run; another seed is not."""
    data = DataSpec(source="reviews")
    first = RunSpec(model="embedded", data=data, freeze="L0+emb")
    assert first.run_id == RunSpec(model="embedded", data=data, freeze="emb+L0").run_id
    assert first.run_id != RunSpec(model="embedded", data=data, freeze="emb+L0", seed=43).run_id


def test_fields_that_were_added_change_no_earlier_id() -> None:
    """Ids are in saved benchmarks and in the names of a store's files; a policy that is not the usual one counts."""
    usual, drop = (RunSpec(model="m", data=DataSpec(source="s", bad_rows=policy)) for policy in ("error", "drop"))
    assert "bad_rows" not in json.dumps(usual.to_json())
    assert usual.run_id != drop.run_id
    assert RunSpec.from_json(drop.to_json()) == drop


def test_an_experiment_is_shared_by_configurations_seeds_and_rates() -> None:
    """Configurations of one comparison have one experiment id; another data set has another."""
    data = DataSpec(source="reviews")
    first = RunSpec(model="embedded", data=data, freeze="none")
    other = RunSpec(model="embedded", data=data, freeze="emb", seed=7, protocol=Protocol(learning_rate=1e-3))
    assert first.experiment_id == other.experiment_id
    assert first.experiment_id != RunSpec(model="embedded", data=DataSpec(source="elsewhere")).experiment_id


@pytest.mark.parametrize(
    "broken",
    [{}, {"schema": 99}, {"schema": 1, "model": "x"}, {"schema": 1, "model": "x", "data": 3, "protocol": {}}],
)
def test_foreign_json_is_refused(broken: dict[str, object]) -> None:
    """Anything but a run spec of this schema is a RecordError."""
    with pytest.raises(RecordError):
        RunSpec.from_json(broken)


def test_the_notebook_preset_is_the_notebooks_protocol() -> None:
    """All settings that the notebook uses."""
    notebook = preset("notebook")
    assert notebook.model == "distilbert-base-uncased"
    assert notebook.data == DataSpec(source="SetFit/sst2", split_rule="notebook", split_seed=42)
    assert notebook.protocol == Protocol(
        engine="standard",
        precision="float32",
        num_epochs=10,
        batch_size=32,
        learning_rate=5e-5,
        weight_decay=0.0,
        max_grad_norm=1.0,
        dropout=True,
        evaluate_before=True,
    )
    assert (notebook.seed, notebook.looks.counts) == (42, (1,))
    assert notebook.learning_rates.get("emb+L0-5") == 5e-5


def test_the_docstring_says_how_the_command_line_differs() -> None:
    """The presets that the command line takes without options, field by field."""
    text = " ".join((Protocol.__doc__ or "").split())
    usual = asdict(Protocol())
    for name in ("embedded", "distilbert-sst2"):
        own = asdict(preset(name).protocol).items()
        changes = ", ".join(f"{field}={value!r}" for field, value in own if value != usual[field])
        assert f"has ``{changes}``" in text, changes


@pytest.mark.parametrize("name", PRESET_NAMES)
def test_a_presets_run_is_the_one_that_the_command_line_plans(name: str) -> None:
    """With the same id, so that its record is the same, too: model, data, protocol, learning rate and seed."""
    settings = resolve([], lambda: (name, "the default here"))
    for freeze in ("none", "emb", "emb+L0-4", "L5+head"):
        planned = settings.run_spec(freeze, settings.seed)
        assert preset(name).run_spec(freeze) == planned
    assert preset(name).run_spec("emb", seed=7, device="cpu") == replace(settings, device="cpu").run_spec("emb", 7)


def test_preset_names_are_those_that_options_offer() -> None:
    """The list of names, which is loaded at start-up, has all presets."""
    assert tuple(PRESETS) == PRESET_NAMES
    with pytest.raises(SettingsError, match="Choose from distilbert-sst2, embedded, notebook"):
        preset("nonsense")
    with pytest.raises(SettingsError, match=r"there is no preset 'embeded'\. Did you mean 'embedded'\?"):
        preset("embeded")


def test_sst2_limits_are_the_published_drops_plus_three_points() -> None:
    """The published drop of each depth plus a tolerance for new seeds, rounded up to half a point."""
    baseline = PUBLISHED["none"].test_accuracy
    for freeze, published in PUBLISHED.items():
        drop_pp = max(0.0, 100 * (baseline - published.test_accuracy))
        expected = None if freeze == "none" else math.ceil(2 * (drop_pp + 3)) / 2
        assert preset("distilbert-sst2").max_drop.get(freeze) == expected


@pytest.mark.parametrize(
    ("spec", "run_id", "experiment_id"),
    [
        (RunSpec(model="embedded", data=DataSpec(source="reviews")), "8053e7720e9b27ab", "d5f4db456706f87a"),
        (
            RunSpec(
                model="distilbert-base-uncased",
                data=DataSpec(source="SetFit/sst2", max_train=100, bad_rows="drop"),
                freeze="l0+emb+head",
                seed=7,
                device="cuda:1",
                protocol=Protocol(engine="cached", num_epochs=3, batch_order="shuffled"),
            ),
            "c46083b8ef1f3a87",
            "e97b02492e084c52",
        ),
    ],
)
def test_ids_are_those_of_versions_without_strategies(spec: RunSpec, run_id: str, experiment_id: str) -> None:
    """Stored runs and saved files have them."""
    assert (spec.run_id, spec.experiment_id) == (run_id, experiment_id)


def test_a_run_with_a_strategy_belongs_to_the_experiment_of_the_others() -> None:
    """Its own schema is a newer one, so that an older version does not take it for a run that it knows."""
    plain = RunSpec(model="embedded", data=DataSpec(source="reviews"), freeze="emb")
    spec = replace(plain, freeze="BitFit+emb")
    assert (spec.freeze, spec.to_json()["schema"], plain.to_json()["schema"]) == ("emb+bitfit", 2, 1)
    assert RunSpec.from_json(spec.to_json()) == spec
    assert (spec.experiment_id, spec.run_id != plain.run_id) == (plain.experiment_id, True)
