"""Sentences of words as tokens: where labels are, and which words have none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from freezebench.data.splits import Split
from freezebench.errors import DataError, ModelError
from freezebench.models.load import load_model
from freezebench.tasks.base import IGNORED
from freezebench.tasks.registry import TASKS
from freezebench.training.batches.encoding import Encoded, collator, encode, unscored_note
from freezebench.training.batches.packed import PackedSplit
from freezebench.training.batches.words import label_tokens, outside_class
from task_data import TAGS, split

WORDS = ("the", "bright-film", "was", "dull")


@pytest.fixture
def loaded(tiny_model: Path) -> tuple[torch.nn.Module, Any]:
    """A classifier of words on the tiny encoder."""
    return load_model(str(tiny_model), len(TAGS), task="token-classification")


def _encoded(loaded: tuple[torch.nn.Module, Any], *sentences: tuple[str, ...], max_length: int = 32) -> Encoded:
    model, tokenizer = loaded
    labels = tuple(tuple(1 + number % 2 for number, _ in enumerate(words)) for words in sentences)
    data = Split(texts=sentences, labels=labels, task="token-classification")
    return encode(data, tokenizer, model, max_length)


def test_the_first_token_of_a_word_has_its_label(loaded: tuple[torch.nn.Module, Any]) -> None:
    """All others are ignored, special tokens too."""
    (example,) = _encoded(loaded, WORDS).examples
    tokens = loaded[1].convert_ids_to_tokens(example["input_ids"])
    assert tokens == ["[CLS]", "the", "bright", "[UNK]", "film", "was", "dull", "[SEP]"]
    assert example["labels"] == [IGNORED, 1, 2, IGNORED, IGNORED, 1, 2, IGNORED]


def test_words_beyond_the_longest_input_have_no_scores(loaded: tuple[torch.nn.Module, Any]) -> None:
    """They are counted, and a warning says what they count as."""
    encoded = _encoded(loaded, WORDS, ("plot",), max_length=5)
    assert encoded.scored_words == ((0, 1), (0,))
    assert [encoded.rows([0, 1]), encoded.rows([1, 0])] == [[0, 1, 4], [4, 0, 1]]
    assert (encoded.num_rows, encoded.unscored_rows) == (5, [2, 3])
    (note,) = unscored_note({"train": _encoded(loaded, WORDS), "test": encoded}, 5, TAGS)
    assert note.startswith(
        "2 of 5 words of test have no token, since inputs are cut to 5 tokens or the tokenizer drops"
    )
    assert "as predicted 'O'. Use a larger --freeze-max-length" in note
    assert unscored_note({"train": _encoded(loaded, WORDS)}, 32, TAGS) == ()


def test_words_without_a_token_are_left_out(loaded: tuple[torch.nn.Module, Any]) -> None:
    """Such as invisible characters; a sentence of nothing else is refused."""
    encoded = _encoded(loaded, ("the", "\u200b", "film"))
    assert encoded.scored_words == ((0, 2),)
    with pytest.raises(DataError, match=r"example 2: no word of the sentence has a token .* Correct or remove it\."):
        _encoded(loaded, WORDS, ("\u200b",))


def test_a_tokenizer_that_tells_no_words_is_refused(loaded: tuple[torch.nn.Module, Any]) -> None:
    """Labels could not be given to tokens."""
    model, tokenizer = loaded

    def plain(*texts: Any, **_: Any) -> Any:
        return {"input_ids": [[1, 2, 3] for _ in texts[0]]}

    with pytest.raises(ModelError, match=r"the tokenizer function does not tell which word .* a fast tokenizer"):
        encode(split("token-classification", 2), plain, model, 32)  # type: ignore[arg-type]
    assert tokenizer.is_fast


def test_the_class_outside_is_o_or_the_first() -> None:
    """Parts of speech have no class outside."""
    assert outside_class(("B-PER", "O", "I-PER")) == 1
    assert outside_class(("NOUN", "VERB")) == 0


def test_labels_are_found_by_the_number_of_the_word() -> None:
    """Also where the tokenizer leaves out words in between."""
    data = Split(texts=(WORDS,), labels=((3, 2, 1, 0),), task="token-classification")
    labels, scored = label_tokens(data, [[None, 0, 0, 2, 3, 3, None]])
    assert labels == [[IGNORED, 3, IGNORED, 1, 0, IGNORED, IGNORED]]
    assert scored == ((0, 2, 3),)


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("name", TASKS)
def test_packed_batches_are_those_of_the_collator(tiny_model: Path, name: Any, side: str) -> None:
    """Both kinds of batches have the same fields and labels, padding included."""
    model, tokenizer = load_model(str(tiny_model), 1 if name == "regression" else 4, task=name)
    tokenizer.padding_side = side
    encoded = encode(split(name, 12), tokenizer, model, 32)
    packed, numbers = PackedSplit(encoded, tokenizer), torch.tensor([3, 0, 11, 7])
    actual = packed.batch(numbers, *packed.token_indices(numbers))
    expected = collator(tokenizer, encoded.task)([encoded.examples[number] for number in numbers.tolist()])
    assert actual.keys() == expected.keys()
    for field, tensor in expected.items():
        assert actual[field].dtype == tensor.dtype, field
        assert torch.equal(actual[field], tensor), field
