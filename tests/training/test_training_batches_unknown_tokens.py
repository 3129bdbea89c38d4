"""Tokens that a tokenizer does not know."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from freezebench.errors import ModelError
from freezebench.training.batches.encoding import Encoded
from freezebench.training.batches.unknown_tokens import check_tokens_known, unknown_counts, unknown_note

UNKNOWN, CLS, SEP = 1, 2, 3


def tokenizer(**changes: Any) -> SimpleNamespace:
    """Return what is known of a tokenizer."""
    return SimpleNamespace(**{"unk_token_id": UNKNOWN, "cls_token_id": CLS, "all_special_ids": [1, CLS, SEP]} | changes)


def split(*tokens: int) -> Encoded:
    """Return one sentence between special tokens."""
    return Encoded(examples=({"input_ids": [CLS, *tokens, SEP]},), labels=(0,))


def test_special_tokens_do_not_count() -> None:
    """Every sentence has them, whatever its words are."""
    splits = {"train": split(7, UNKNOWN, 8, 9), "test": split(UNKNOWN, UNKNOWN)}
    assert unknown_counts(tokenizer(), splits) == {"train": (1, 4), "test": (2, 2)}


def test_a_tokenizer_may_have_no_unknown_token() -> None:
    """One of bytes knows every text; any callable may tokenize."""
    splits = {"train": split(UNKNOWN)}
    assert unknown_counts(tokenizer(unk_token_id=None), splits) == {}
    assert unknown_counts(tokenizer(eos_token_id=UNKNOWN), splits) == {}
    assert unknown_counts(len, splits) == {}


def test_no_known_word_is_refused() -> None:
    """Of training sentences; a further test set may be in another language."""
    check_tokens_known("m", {"train": (99, 100), "test": (5, 5)})
    check_tokens_known("m", {})
    with pytest.raises(ModelError, match=r"of m knows no word of the training sentences: all of their 1,200 tokens"):
        check_tokens_known("m", {"train": (1200, 1200)})


def test_many_unknown_words_are_a_warning() -> None:
    """With the splits that have them; a further test set, on which nothing trains, has one of its own."""
    note, further = unknown_note({"train": (30, 100), "test": (4, 5), "test:french": (4, 5), "test:empty": (0, 0)})
    assert note.startswith("the tokenizer does not know 30 % of train, 80 % of test: the model sees")
    assert further.startswith("of the test set french the tokenizer does not know 80 %: the model sees the unknown")
    assert unknown_note({"train": (1, 9), "test:french": (4, 5)}) == (further,)
    assert unknown_note({"train": (20, 100)}) == ()
