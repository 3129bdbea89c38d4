"""Figures of runs and windows by name."""

from __future__ import annotations

import copy
import pickle
import re
from dataclasses import replace

import pytest

import made_up
from freezebench.errors import FreezebenchError, UnknownNameError
from freezebench.meters.metrics import COST_METRICS
from freezebench.meters.trace import Trace
from freezebench.records.figures import METRIC_NAMES, Readings
from freezebench.records.reading import Reading
from freezebench.records.run_record import RunRecord
from freezebench.specs.grid import PerSpec

READING = Reading(value=2.0, unit="s", source="clock")


def test_the_names_are_those_of_the_registry() -> None:
    """A metric that is added to the registry alone could not be looked up."""
    assert sorted(METRIC_NAMES) == sorted(COST_METRICS)


def test_a_value_is_a_reading_or_a_figure_of_the_test() -> None:
    """What exists but was not measured has no value; that of a device is found by its full name."""
    record = made_up.record()
    assert record.test is not None
    assert record.value("train_s") == record.readings["train_s"].value
    assert (record.value("accuracy"), record.value("f1"), record.value("loss")) == (
        record.test.accuracy,
        record.test.f1,
        record.test.loss,
    )
    assert record.value("energy_j") is None
    assert replace(record, status="invalid", reason="it broke", test=None).value("accuracy") is None
    assert record.test is not None
    assert replace(record, test=replace(record.test, accuracy=None)).value("accuracy") is None  # as in regression
    assert replace(record, readings={"energy_j[GPU-1]": READING}).value("energy_j[GPU-1]") == 2.0


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("acuracy", "there is no figure 'acuracy'. Did you mean 'accuracy'?"),
        ("Accuracy", "there is no figure 'Accuracy'. Did you mean 'accuracy'?"),
        ("trains_s", "there is no figure 'trains_s'. Did you mean 'train_s'?"),
        ("enrgy_j[GPU-1]", "there is no figure 'enrgy_j[GPU-1]'."),
        ("qqq", "there is no figure 'qqq'. Choose from accuracy, allocated_gradients_bytes,"),
        (None, "there is no figure None."),
    ],
)
def test_a_misspelt_name_raises(name: str, message: str) -> None:
    """With the nearest name, as a KeyError whose text is the sentence, not its repr."""
    with pytest.raises(KeyError) as caught:
        made_up.record().value(name)
    assert isinstance(caught.value, UnknownNameError)
    assert isinstance(caught.value, FreezebenchError)
    assert str(caught.value).startswith(message)


def test_readings_say_why_a_name_is_not_there() -> None:
    """Misspelt, not measured here, or not measured yet; a record's readings are of this kind, however it was made."""
    readings = made_up.record().readings
    again = RunRecord.from_json(made_up.record().to_json()).readings
    for each in (readings, again, copy.deepcopy(readings), pickle.loads(pickle.dumps(readings))):  # noqa: S301 - ours
        with pytest.raises(KeyError, match=re.escape("there is no figure 'trian_s'. Did you mean 'train_s'?")):
            each["trian_s"]
        with pytest.raises(UnknownNameError, match=r"there is no reading 'energy_j' here: there are .*Use get\(\)"):
            each["energy_j"]
        assert each.get("energy_j") is None
    with pytest.raises(UnknownNameError, match="after its with block"):
        Readings()["train_s"]


def test_a_trace_refuses_a_metric_that_is_never_sampled() -> None:
    """One that was not sampled here is None."""
    assert Trace().get("power_w") is None
    with pytest.raises(UnknownNameError, match=re.escape("there is no series 'powre_w'. Did you mean 'power_w'?")):
        Trace().get("powre_w")


def test_numbers_per_configuration_know_every_notation() -> None:
    """And refuse what is no configuration, instead of giving it the default."""
    limits = PerSpec.parse("2,emb+L0:3")
    assert (limits.get("L0+emb"), limits.get("EMB+L0-0"), limits.get("emb")) == (3.0, 3.0, 2.0)
    with pytest.raises(ValueError, match="cannot read 'embb'"):
        limits.get("embb")
