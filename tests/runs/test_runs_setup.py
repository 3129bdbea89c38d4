"""What each stage of a run needs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cached_runs import PROTOCOL, cached_run
from freezebench.errors import SpecError
from freezebench.runs.data_cache import DataCache
from freezebench.runs.experiment import run
from freezebench.runs.setup import StageSetup, set_up, stages_of
from freezebench.specs.run import Engine
from made_up_strategies import Refreeze, registered


def _stages(model: Path, data: Path, freeze: str, engine: Engine = "cached") -> tuple[StageSetup, ...]:
    spec = replace(cached_run(model, data, freeze=freeze), protocol=replace(PROTOCOL, engine=engine, num_epochs=3))
    cache = DataCache()
    source = cache.model_source(spec.model, spec.model_revision)
    setup = set_up(source, cache.data(spec), cache, spec=spec, precision="float32")
    stages, warnings = stages_of(spec, setup, cache)
    assert warnings == ()
    return stages


def test_each_stage_has_a_prefix_and_modules_of_its_own(tiny_model: Path, tiny_data: Path) -> None:
    """What is frozen in a stage runs without dropout in it, and is not computed."""
    stages = _stages(tiny_model, tiny_data, "emb+unfreeze")
    assert [stage.epochs for stage in stages] == [range(1), range(1, 2), range(2, 3)]
    widths = [stage.feed.prefix.cls_only for stage in stages if stage.feed and stage.feed.prefix]
    assert widths == [True, False, False], "behind all layers one vector of each sentence is left"
    num_frozen = [len(stage.eval_modules) for stage in stages]
    assert num_frozen == sorted(num_frozen, reverse=True)
    assert len(set(num_frozen)) == 3


def test_a_stage_in_which_the_embeddings_train_is_not_named_if_others_are_cached(
    tiny_model: Path, tiny_data: Path
) -> None:
    """Behind a frozen layer above trainable embeddings nothing is cached, but while the head alone trains, all is."""
    stages = _stages(tiny_model, tiny_data, "L0+lpft")
    assert [stage.feed is not None and stage.feed.prefix is not None for stage in stages] == [True, False]


def test_without_a_schedule_there_is_one_stage(tiny_model: Path, tiny_data: Path) -> None:
    """It lasts for the whole training; other engines have no feed."""
    (stage,) = _stages(tiny_model, tiny_data, "emb")
    assert stage.epochs == range(3)
    (stage,) = _stages(tiny_model, tiny_data, "emb", "standard")
    assert (stage.feed, stage.eval_modules) == (None, ())


def test_layers_that_have_trained_before_are_not_cached(tiny_model: Path, tiny_data: Path) -> None:
    """Their outputs are not those of the pass before the training; losses are those of the whole model."""
    with registered(Refreeze):
        stages = _stages(tiny_model, tiny_data, "emb+L0+refreeze")
        assert [stage.feed is not None and stage.feed.cls_only for stage in stages] == [False, False]
        spec = cached_run(tiny_model, tiny_data, freeze="emb+L0+refreeze")
        protocol = replace(PROTOCOL, num_epochs=4, batch_order="shuffled")
        cached, standard = (
            run(replace(spec, protocol=replace(protocol, engine=engine))) for engine in ("cached", "standard")
        )
    assert (cached.status, standard.status) == ("completed", "completed"), (cached.reason, standard.reason)
    assert cached.step_losses == pytest.approx(standard.step_losses, abs=1e-4)


def test_a_training_that_is_too_short_for_a_strategy_is_refused(tiny_model: Path, tiny_data: Path) -> None:
    """Also where no session has checked it before."""
    with pytest.raises(SpecError, match="Use --freeze-epochs=3"):
        run(cached_run(tiny_model, tiny_data, freeze="unfreeze"))
    message = "refreeze begins its last stage with epoch 3, and the training has 2. Use --freeze-epochs=3 or more"
    with registered(Refreeze), pytest.raises(SpecError, match=message):  # it checks no number of epochs itself
        run(cached_run(tiny_model, tiny_data, freeze="refreeze"))
