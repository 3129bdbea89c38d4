"""Device models: which runs' costs may be compared."""

from __future__ import annotations

import made_up
from freezebench.records.device_models import common_model, main_model, of_model
from freezebench.records.run_record import RunRecord


def _run(seed: int, device_name: str, freeze: str = "none") -> RunRecord:
    return made_up.record(freeze, seed, device_name=device_name)


def test_the_main_model_has_most_valid_runs() -> None:
    """Of equally many the first counts; invalid runs do not, and without any there is none."""
    runs = [_run(42, "T4"), _run(43, "A100"), _run(44, "A100")]
    assert main_model(runs) == "A100"
    assert main_model(runs[:2]) == "T4"
    assert main_model([made_up.broken("none"), _run(43, "A100")]) == "A100"
    assert main_model([made_up.broken("none")]) is None
    assert [run.spec.seed for run in of_model(runs, "A100")] == [43, 44]


def test_a_common_model_trained_seeds_of_both_arms() -> None:
    """A seed whose arms trained on two models has none."""
    unfrozen = [_run(42, "T4"), _run(43, "A100"), _run(44, "T4")]
    frozen = [_run(42, "T4", "emb"), _run(43, "A100", "emb"), _run(44, "A100", "emb")]
    assert common_model(frozen, unfrozen) == "T4"
    assert common_model(frozen[1:], unfrozen) == "A100"
    assert common_model(frozen[2:], unfrozen) is None
