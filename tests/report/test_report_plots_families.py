"""Families of configurations as shapes of marks."""

from __future__ import annotations

from dataclasses import replace

import pytest

pytest.importorskip("matplotlib")

import made_up
from experiments import on_gpu, settings
from freezebench.report.experiment import Experiment
from freezebench.report.picture import Picture
from freezebench.report.plots import draw, draw_side_by_side, families
from freezebench.report.plots.families import family_handles, family_shapes, legend_columns, short_name
from freezebench.report.summary import summarize
from freezebench.verdicts.judge import judge

NAMES = ("none", "emb", "emb+L0", "L1", "bitfit", "emb+bitfit", "lora", "lora(r=16,targets=all)")


@pytest.fixture(scope="module")
def experiment() -> Experiment:
    """Return an experiment of several families, with everything measured."""
    arms = {name: [on_gpu(run) for run in made_up.seeds(name)] for name in NAMES}
    results = [judge(name, runs, arms["none"], margin_pp=2.0, limit_pp=None) for name, runs in arms.items()]
    return Experiment.of(settings(), summarize(results, settings()))


def test_every_family_has_its_shape() -> None:
    """The shape of a family is the same whatever else a report shows; one family needs none."""
    shapes = family_shapes(NAMES)
    assert list(shapes) == ["frozen prefix", "frozen parts", "some parameters", "adapters"]
    assert len(set(shapes.values())) == len(shapes)
    assert family_shapes(["none", "emb", "lora"])["adapters"] == shapes["adapters"]
    assert family_shapes(["none", "emb", "emb+L0"]) == {}
    assert [handle.get_label() for handle in family_handles(shapes)] == list(shapes)


def test_families_of_other_packages_get_the_next_shapes(monkeypatch: pytest.MonkeyPatch) -> None:
    """They differ from each other and from the known ones; a name of any length fits into the legend."""
    monkeypatch.setattr(families, "family_of", lambda freeze: "a family " * 9 if freeze == "L0" else freeze)
    shapes = family_shapes(["emb", "L0", "L1", *NAMES])
    assert len({*shapes.values(), *families._SHAPES.values()}) == len(shapes) + len(families._SHAPES)
    assert all(len(str(handle.get_label())) <= 24 for handle in family_handles(shapes))


def test_legends_have_fewer_columns_for_longer_names() -> None:
    """The middle of a very long name is left out."""
    assert [legend_columns([name]) for name in ("emb+L0-2", "emb+L0-1+bitfit", "lora(r=16,targets=all)")] == [4, 3, 2]
    long = "emb+L0-2+lora(r=16,alpha=32,targets=query|value)"
    assert len(short_name(long)) <= 26
    assert legend_columns([long]) == 2


def test_pictures_say_what_shapes_are(experiment: Experiment) -> None:
    """The front is over all families, and no configuration is missing."""
    drawn = {picture.name: picture for picture in draw(experiment) if isinstance(picture, Picture)}
    assert "shapes are families" in drawn["tradeoff_time"].caption
    assert "shapes are families" in drawn["tradeoff_energy"].caption
    assert all(name in drawn["parameters"].alt for name in NAMES)


def test_several_experiments_have_colours_and_families_shapes(experiment: Experiment) -> None:
    """Strategies lie on no way from little to much that is frozen; the pictures of it leave them out."""
    joint, drop, speedup = draw_side_by_side([experiment, replace(experiment)])
    assert isinstance(joint, Picture)
    assert "Shapes are families of configurations." in joint.caption
    for picture in (drop, speedup):
        assert isinstance(picture, Picture)
        assert picture.caption.endswith("Strategies are shown only in the joint Pareto front.")
