"""Values that the constructors of specs refuse, each with its first words and what to write instead."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from freezebench.errors import SettingsError, SpecError
from freezebench.specs.data import DataSpec
from freezebench.specs.fields import brief
from freezebench.specs.freeze import FreezeSpec
from freezebench.specs.run import Protocol, RunSpec

DATA = DataSpec(source="reviews")


class Unwritable:
    """A value whose ``repr`` fails."""

    def __repr__(self) -> str:
        raise RuntimeError("no")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"data": "sst2"}, "RunSpec(data='sst2'): give a DataSpec, such as data=DataSpec(source='sst2')."),
        ({"data": None}, "RunSpec(data=None): give a DataSpec, such as data=DataSpec(source='./my-reviews')."),
        ({"data": {"source": "x"}}, "RunSpec(data={'source': 'x'}): give a DataSpec"),
        ({"protocol": {"num_epochs": 1}}, "RunSpec(protocol={'num_epochs': 1}): give a Protocol, such as"),
        ({"protocol": Protocol}, "RunSpec(protocol=<class 'freezebench.specs.run.Protocol'>): give a Protocol"),
        ({"model": Path("here")}, "RunSpec(model=PosixPath('here')): give a text, such as model='here'."),
        ({"model": ""}, "RunSpec(model=''): give a text, such as model='embedded'."),
        ({"freeze": FreezeSpec.parse("L0+emb")}, "give the id of the freeze spec, here freeze='emb+L0'."),
        ({"freeze": 3}, "RunSpec(freeze=3): give a text, such as freeze='emb+L0-3'."),
        ({"seed": "42"}, "RunSpec(seed='42'): give a whole number from 0 to 4294957296."),
        ({"seed": True}, "RunSpec(seed=True): give a whole number"),
        ({"seed": 4.0}, "RunSpec(seed=4.0): give a whole number"),
        ({"seed": -1}, "RunSpec(seed=-1): give a whole number"),
        ({"seed": np.array([1, 2])}, "RunSpec(seed=array([1, 2])): give a whole number"),
        ({"seed": 2**32}, "RunSpec(seed=4294967296): give a whole number"),
        ({"device": "gpu"}, "RunSpec(device='gpu'): choose from 'auto', 'cpu', 'cuda', 'cuda:0'"),
        ({"device": "cuda:-1"}, "RunSpec(device='cuda:-1'): choose from"),
        ({"device": 0}, "RunSpec(device=0): choose from"),
        ({"model_revision": 3}, "RunSpec(model_revision=3): give a text, such as model_revision='main'."),
        ({"model": Unwritable()}, "RunSpec(model=<Unwritable instance at "),
    ],
)
def test_a_run_spec_refuses_at_once(values: dict[str, Any], message: str) -> None:
    """The sentence names field and value, and how to write it."""
    with pytest.raises(SettingsError, match=re.escape(message)):
        RunSpec(**{"model": "embedded", "data": DATA, **values})


def test_a_run_spec_refuses_what_is_no_freeze_spec() -> None:
    """With the grammar."""
    with pytest.raises(
        SpecError, match=r"cannot read 'embb' in freeze spec 'embb'.*\. Write none, emb, L3.*Did you mean 'emb'"
    ):
        RunSpec(model="embedded", data=DATA, freeze="embb")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"source": Path("rows")}, "DataSpec(source=PosixPath('rows')): give a text, such as source='rows'."),
        ({"source": ""}, "DataSpec(source=''): give a text, such as source='./my-reviews'."),
        ({"text_columns": "text"}, "DataSpec(text_columns='text'): give a tuple of one name"),
        ({"text_columns": ["text"]}, "DataSpec(text_columns=['text']): give a tuple of one name"),
        ({"text_columns": ("a", 1)}, "DataSpec(text_columns=('a', 1)): give a tuple of one name"),
        ({"text_columns": ()}, "one or two columns of sentences can be encoded, not 0."),
        ({"text_columns": ("a", "b", "c")}, "one or two columns of sentences can be encoded, not 3."),
        ({"label_column": 3}, "DataSpec(label_column=3): give a text"),
        ({"split_rule": "mine"}, "DataSpec(split_rule='mine'): choose from 'own', 'notebook'."),
        ({"max_train": 1}, "DataSpec(max_train=1): give a whole number from 2 to 1000000000, or None."),
        ({"max_train": "9"}, "DataSpec(max_train='9'): give a whole number"),
        ({"split_seed": None}, "DataSpec(split_seed=None): give a whole number"),
        ({"bad_rows": "skip"}, "DataSpec(bad_rows='skip'): choose from 'error', 'drop'."),
    ],
)
def test_a_data_spec_refuses_at_once(values: dict[str, Any], message: str) -> None:
    """Before any file is read."""
    with pytest.raises(SettingsError, match=re.escape(message)):
        DataSpec(**{"source": "reviews", **values})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"engine": "fast"}, "Protocol(engine='fast'): choose from 'standard', 'cached', 'trainer'."),
        ({"engine": np.array(["standard"])}, "choose from 'standard', 'cached', 'trainer'."),
        ({"precision": "fp16"}, "Protocol(precision='fp16'): choose from 'auto', 'float32', 'bf16'."),
        ({"num_epochs": 0}, "Protocol(num_epochs=0): give a whole number from 1 to 1000000000."),
        ({"num_epochs": 2.5}, "Protocol(num_epochs=2.5): give a whole number"),
        ({"batch_size": "16"}, "Protocol(batch_size='16'): give a whole number"),
        ({"batch_size": 10**400}, "Protocol(batch_size=100"),
        ({"learning_rate": float("nan")}, "Protocol(learning_rate=nan): give a number above 0 and up to 1."),
        ({"learning_rate": "5e-5"}, "Protocol(learning_rate='5e-5'): give a number"),
        ({"learning_rate": True}, "Protocol(learning_rate=True): give a number"),
        ({"learning_rate": 0}, "Protocol(learning_rate=0): give a number above 0"),
        ({"learning_rate": 10**400}, "give a number above 0 and up to 1."),
        ({"weight_decay": -0.1}, "Protocol(weight_decay=-0.1): give a number from 0 up to 100."),
        ({"max_grad_norm": float("inf")}, "Protocol(max_grad_norm=inf): give a number above 0"),
        ({"max_length": 3}, "Protocol(max_length=3): give a whole number from 4 to 1000000000, or None."),
        ({"dropout": 1}, "Protocol(dropout=1): give True or False."),
        ({"evaluate_before": "no"}, "Protocol(evaluate_before='no'): give True or False."),
        ({"prefix_mode": "off"}, "Protocol(prefix_mode='off'): choose from 'eval', 'train', None."),
        ({"batch_order": 1}, "Protocol(batch_order=1): choose from 'bucketed', 'shuffled', None."),
    ],
)
def test_a_protocol_refuses_at_once(values: dict[str, Any], message: str) -> None:
    """Every field, numbers that are none included."""
    with pytest.raises(SettingsError, match=re.escape(message)):
        Protocol(**values)


def test_numbers_of_numpy_are_those_of_python() -> None:
    """Otherwise equal runs would have other ids, or none: JSON has no numbers of NumPy."""
    spec = RunSpec(
        model="embedded",
        data=DataSpec(source="reviews", max_train=np.int32(9)),  # type: ignore[arg-type]  # a number all the same
        seed=np.int64(7),  # type: ignore[arg-type]  # likewise
        protocol=Protocol(learning_rate=np.float64(1e-3), weight_decay=0),
    )
    usual = RunSpec(
        model="embedded",
        data=DataSpec(source="reviews", max_train=9),
        seed=7,
        protocol=Protocol(learning_rate=1e-3, weight_decay=0.0),
    )
    assert spec == usual
    assert spec.run_id == usual.run_id
    assert type(spec.seed) is int
    assert type(spec.protocol.weight_decay) is float


def test_long_values_are_shortened() -> None:
    """A message stays one line, whatever was given."""
    assert len(brief("x" * 10_000)) < 80
    assert "\n" not in brief(np.zeros((9, 9)))
    assert brief(10**5000) == brief([10**5000]).replace("list", "int") == "<int of too many digits>"
    with pytest.raises(SettingsError, match=r"Protocol\(num_epochs=<int of too many digits>\): give a whole number"):
        Protocol(num_epochs=10**5000)
