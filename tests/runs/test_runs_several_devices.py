"""Runs that train at the same time: which figures stay, and which number formats may be mixed."""

from __future__ import annotations

import pytest

import made_up
from freezebench.errors import SettingsError
from freezebench.records.reading import Reading
from freezebench.runs.environment import Machine
from freezebench.runs.several_devices import check_equal_precision, trained_beside_others


def _machine(device_name: str, precision: str) -> Machine:
    return Machine(device="cuda:0", device_name=device_name, precision=precision, environment={})  # type: ignore[arg-type]


def test_a_shared_processor_leaves_no_times() -> None:
    """The reason says what to do; what was measured of the process alone stays."""
    record = trained_beside_others(made_up.record("emb"), shares_processor=True)
    assert (record.value("train_s"), record.value("peak_rss_bytes")) == (
        None,
        made_up.record("emb").value("peak_rss_bytes"),
    )
    assert (record.readings["train_s"].reason or "").endswith("(--freeze-devices=cpu --freeze-resume=no)")


def test_on_gpus_of_their_own_runs_share_the_energy_of_the_machine_alone() -> None:
    """Times and the energy of the board count; that of the processors and of the memory does not."""
    names = ("train_s", "energy_j", "energy_j[GPU-1]", "cpu_energy_j", "dram_energy_j", "contended_share")
    readings = {name: Reading(value=0.5, unit="J", source="made up") for name in names}
    record = made_up.record(device="cuda:0", readings=readings)
    beside = trained_beside_others(record, shares_processor=False)
    dropped = {name for name in names if beside.readings[name].value is None}
    assert dropped == {"cpu_energy_j", "dram_energy_j"}
    assert beside.epochs == record.epochs


def test_what_was_not_measured_anyway_keeps_its_own_reason() -> None:
    """A machine without counters has no energy that runs could share."""
    assert trained_beside_others(made_up.record(), shares_processor=False) == made_up.record()
    energy = trained_beside_others(made_up.record(), shares_processor=True).readings["cpu_energy_j"]
    assert energy.reason == made_up.NO_RAPL


def test_equal_precisions_may_train_one_experiment() -> None:
    """Whatever the models of the devices are."""
    check_equal_precision({})
    check_equal_precision({"cuda:0": _machine("A100", "bf16"), "cuda:1": _machine("H200", "bf16")})


def test_devices_of_different_precision_are_refused_by_name() -> None:
    """The message names every format with its devices, and two remedies."""
    machines = {f"cuda:{index}": _machine("A100", "bf16") for index in range(6)}
    machines["cuda:6"] = _machine("Tesla T4", "float32")
    with pytest.raises(SettingsError) as refused:
        check_equal_precision(machines)
    assert str(refused.value) == (
        "cannot train the runs of one experiment in different number formats: bf16 on cuda:0 (A100), cuda:1 (A100), "
        "cuda:2 (A100), cuda:3 (A100) and 2 more; float32 on cuda:6 (Tesla T4). Give --freeze-precision=float32, or "
        "choose devices of one kind (--freeze-devices, --freeze-cluster-resource)."
    )
