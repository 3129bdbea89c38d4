"""The provisional table: golden text, and what must not break it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

import made_up
import made_up_tasks
from freezebench.records.events import SeedsFinished
from freezebench.records.scores import pack_scores
from freezebench.report.provisional import provisional_lines
from freezebench.report.terminal_text import columns_of

WIDTH = 68


def test_the_table_has_a_line_per_configuration() -> None:
    """Means over the seeds so far, drops within a seed, train times with the share of a contended run, and causes."""
    seeds = SeedsFinished(
        num_ended=2,
        num_seeds=3,
        records={
            "none": (made_up.record("none", accuracy=0.9), made_up.record("none", 43, accuracy=0.9)),
            "emb": (made_up.record("emb", accuracy=0.92), made_up.contended(made_up.record("emb", 43, accuracy=0.92))),
            "emb+L0": (made_up.record("emb+L0", accuracy=0.8), made_up.record("emb+L0", 43, accuracy=0.8)),
            "emb+L0-1": (made_up.broken("emb+L0-1"),),
        },
    )
    assert provisional_lines(seeds, WIDTH) == [
        "provisional, after seed 2 of 3 (drop in points, no verdicts yet):",
        "  frozen    accuracy  drop           train time",
        "  none        89.4 %     –               10.0 s",
        "  emb         90.6 %  -1.3  5 s, contended 41 %",
        "  emb+L0      78.1 %  11.2               3.33 s",
        "  emb+L0-1  invalid: non-finite loss: at step 3",
        "  always predicting class negative: 50.0 %",
    ]


def test_times_of_two_device_models_are_not_averaged() -> None:
    """Those of the model with most runs are shown; accuracy is over all seeds."""
    runs = {
        freeze: tuple(
            made_up.record(freeze, 42 + index, device_name=name) for index, name in enumerate(("A100", "A100", "T4"))
        )
        for freeze in ("none", "emb")
    }
    slow = replace(runs["emb"][2], readings={"train_s": replace(runs["emb"][2].readings["train_s"], value=500.0)})
    seeds = SeedsFinished(num_ended=3, num_seeds=3, records={**runs, "emb": (*runs["emb"][:2], slow)})
    assert provisional_lines(seeds, WIDTH)[3].split()[-2:] == ["5", "s"]


def test_every_line_fits_and_is_escaped() -> None:
    """Long names and causes lose their middle; what could move the cursor is escaped."""
    name = "emb+" + "+".join(f"L{layer}" for layer in range(0, 24, 2))
    broken = made_up.broken("emb")
    reason = "\x1b[2J\n" + "x" * 200
    seeds = SeedsFinished(
        num_ended=1,
        num_seeds=1,
        records={
            "none": (made_up.record("none"),),
            name: (made_up.record(name),),
            "emb": (replace(broken, reason=reason),),
        },
    )
    lines = provisional_lines(seeds, WIDTH)
    assert max(map(columns_of, lines)) <= WIDTH
    assert "…" in lines[3]
    assert r"\x1b[2J\n" in lines[4]
    assert all(line.isprintable() for line in lines)


def test_another_metric_has_its_own_name_and_unit() -> None:
    """Other tasks have no most frequent class to compare with; a drop of a loss is an increase."""
    runs = made_up_tasks.arms("regression", {"none": 0.5, "emb": 0.9}, num=2)
    seeds = SeedsFinished(
        num_ended=2, num_seeds=3, records={freeze: tuple(arm) for freeze, arm in runs.items()}, metric="rmse"
    )
    heading, columns, unfrozen, frozen = provisional_lines(seeds, WIDTH)
    assert heading == "provisional, after seed 2 of 3 (drop in units of the label, no verdicts yet):"
    assert columns.split() == ["frozen", "RMSE", "drop", "train", "time"]
    before, after = (float(line.split()[1]) for line in (unfrozen, frozen))
    assert float(frozen.split()[2]) == round(after - before, 3)
    assert after > before


def test_a_drop_from_a_baseline_without_a_value_is_not_known() -> None:
    """A correlation with a constant is not defined: the table does without its drops."""
    runs = made_up_tasks.arms("regression", {"none": 0.5, "emb": 0.9}, num=1)
    unfrozen = runs["none"][0]
    assert unfrozen.test is not None
    assert unfrozen.data is not None
    scores = pack_scores(np.zeros((unfrozen.data.num_test, 1), dtype=np.float32))
    constant = replace(unfrozen, test=replace(unfrozen.test, scores=scores))
    seeds = SeedsFinished(
        num_ended=1, num_seeds=3, records={"none": (constant,), "emb": tuple(runs["emb"])}, metric="pearson"
    )
    *_, unfrozen_line, frozen_line = provisional_lines(seeds, WIDTH)
    assert unfrozen_line == "  none    invalid: its Pearson correlation is not defined"
    assert frozen_line.split()[3] == "–"
