"""The table of what memory is used for."""

from __future__ import annotations

from dataclasses import replace

import made_up
from freezebench.records.reading import Reading
from freezebench.records.run_record import RunRecord
from freezebench.report.memory_split import memory_table, memory_title
from freezebench.verdicts.judge import ConfigurationResult, judge


def _with(records: list[RunRecord], **values: float | None) -> list[RunRecord]:
    """Return records with readings in bytes."""
    new = {
        f"{name}_bytes": Reading.not_measured("B", "test", "it is a CPU")
        if value is None
        else Reading(value=value, unit="B", source="test")
        for name, value in values.items()
    }
    return [replace(record, readings={**record.readings, **new}) for record in records]


def _results(**values: float | None) -> list[ConfigurationResult]:
    """Return an unfrozen configuration, and one with adapters that has some more figures."""
    common = {"allocated_parameters": 4096.0, "allocated_gradients": 2048.0, "allocated_optimizer": 1024.0}
    baseline, adapted = _with(made_up.seeds("none"), **common), _with(made_up.seeds("lora"), **{**common, **values})
    arms = (("none", baseline), ("lora", adapted))
    return [judge(freeze, records, baseline, margin_pp=2.0, limit_pp=None) for freeze, records in arms]


def test_weights_are_shown_as_they_train_and_merged() -> None:
    """Where a strategy has added some; a part that was not measured is a dash."""
    headers, cells = memory_table(_results(weights_added=96.0, weights_merged=4000.0, allocated_rest=None))
    assert headers == (
        "configuration",
        "weights",
        "gradients",
        "optimizer",
        "activations, rest",
        "added weights",
        "merged weights",
    )
    assert cells == [
        ["none", "4.00 KiB", "2.00 KiB", "1.00 KiB", "–", "–", "–"],
        ["lora", "4.00 KiB", "2.00 KiB", "1.00 KiB", "–", "96 B", "3.91 KiB"],
    ]


def test_without_added_weights_their_columns_are_left_out() -> None:
    """The largest of the seeds counts, as for every peak."""
    headers, cells = memory_table(_results(allocated_rest=2.0**20))
    assert headers[1:] == ("weights", "gradients", "optimizer", "activations, rest")
    assert cells[1][-1] == "1.00 MiB"


def test_records_without_the_parts_have_no_table() -> None:
    """Such as those of earlier versions on a CPU."""
    baseline = made_up.seeds("none")
    assert memory_table([judge("none", baseline, baseline, margin_pp=2.0, limit_pp=None)]) == ((), [])


def test_the_title_says_why_weights_that_train_are_smaller() -> None:
    """On a CPU alone, where the rows of an embedding that no text uses are left out."""
    results = _results()
    assert memory_title(results).startswith("What the memory is used for")
    on = {
        device: [
            replace(result, records=tuple(replace(run, device=device) for run in result.records)) for result in results
        ]
        for device in ("cpu", "cuda:0")
    }
    assert memory_title(on["cpu"]).endswith("may hold only the rows that the data use")
    assert memory_title(on["cuda:0"]) == "What the memory is used for"
