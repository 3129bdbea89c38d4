"""The public ``load_model``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

import freezebench
from freezebench.errors import ModelError


def test_a_folder_is_named_by_a_text_or_a_path(tiny_model: Path) -> None:
    """Either way the same weights come, as transformers' classes; numbers may be those of NumPy."""
    weights = []
    for source in (tiny_model, str(tiny_model)):
        torch.manual_seed(1)
        number: Any = np.int64(3)
        model, tokenizer = freezebench.load_model(source, number, label_names=("a", "b", "c"))
        assert isinstance(model, PreTrainedModel)
        assert isinstance(tokenizer, PreTrainedTokenizerBase)
        assert model.config.id2label == {0: "a", 1: "b", 2: "c"}
        weights.append(torch.cat([parameter.flatten() for parameter in model.parameters()]))
    assert torch.equal(*weights)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((None,), "load_model(None): give the name of a model as a text or a path: 'embedded', a checkpoint folder"),
        ((3,), "load_model(3): give the name of a model"),
        ((b"embedded",), "load_model(b'embedded'): give the name of a model"),
        (("embedded", "2"), "load_model(num_labels='2'): give a whole number of classes from 2 on."),
        (("embedded", True), "load_model(num_labels=True): give a whole number"),
        (("embedded", 2.0), "load_model(num_labels=2.0): give a whole number"),
        (("embedded", 1), "cannot load the model 'embedded' for 1 classes"),
        (("embedded", 2, {"seed": -1}), "load_model(seed=-1): give a whole number from 0 to 4294967295."),
        (("embedded", 2, {"label_names": "ab"}), "load_model(label_names='ab'): give a list with the name of every"),
        (("embedded", 2, {"label_names": [1, 2]}), "load_model(label_names=[1, 2]): give a list"),
        (("embedded", 2, {"label_names": ["a"]}), "for 2 classes and 1 names for them"),
        ((Path("module:factory"),), "a path names a folder. Give the factory as a text: 'module:factory'."),
        ((Path("/nothing/here"),), "cannot load the model '/nothing/here': there is no such folder"),
        (("",), "cannot load the model '': there is no such folder"),
    ],
)
def test_wrong_arguments_are_refused(arguments: tuple[Any, ...], message: str) -> None:
    """In one sentence, before torch is needed."""
    options = arguments[2] if len(arguments) > 2 else {}
    with pytest.raises(ModelError, match=re.escape(message)):
        freezebench.load_model(*arguments[:2], **options)
