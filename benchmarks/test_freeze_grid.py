"""The main job: `pytest benchmarks --freeze-grid=all` fine-tunes every configuration and holds it to its limit."""

import pytest

from freezebench import FreezeRun


@pytest.mark.freeze
def test_freeze_grid(freeze_run: FreezeRun) -> None:
    """Freezing this much costs no more accuracy than its limit allows."""
    result = freeze_run()
    assert all(record.is_valid for record in result.records)
