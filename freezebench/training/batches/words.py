"""Sentences of labelled words as token ids: each word is cut into sub-words, and the first of them has its label."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from freezebench.errors import DataError, ModelError
from freezebench.tasks.base import IGNORED
from freezebench.units import listed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from transformers import PreTrainedTokenizerBase

    from freezebench.data.splits import Split

# Number of the word that each token of a sentence is of; None for special tokens.
WordNumbers = list[int | None]


def tokenize_words(
    split: Split, tokenizer: PreTrainedTokenizerBase, max_length: int
) -> tuple[Mapping[str, Sequence[Any]], list[WordNumbers]]:
    """Return the tokenizer's fields for sentences of words, and the number of each token's word.

    Raises:
        ModelError: If the tokenizer does not tell which word a token is of.
    """
    sentences = [list(words) for words in split.texts]
    fields = tokenizer(sentences, is_split_into_words=True, truncation=True, max_length=max_length)
    try:
        return fields, [fields.word_ids(number) for number in range(len(sentences))]
    except (AttributeError, ValueError) as error:  # a slow tokenizer, or any callable
        raise ModelError(
            f"the tokenizer {type(tokenizer).__name__} does not tell which word a token is of (word_ids), which labels "
            "of words need. Give the model a fast tokenizer: save one with tokenizer.json beside its weights."
        ) from error


def label_tokens(
    split: Split, word_numbers: Sequence[WordNumbers]
) -> tuple[list[list[int]], tuple[tuple[int, ...], ...]]:
    """Return a label for every token, and which words of each sentence have a token.

    The first token of a word has the word's label, and all others are ignored, as in transformers' own example of token
    classification (run_ner.py).

    Args:
        split: The sentences and the labels of their words.
        word_numbers: The number of each token's word.

    Raises:
        DataError: If no word of a sentence has a token.
    """
    labels, scored = [], []
    for words, numbers in zip(split.labels, word_numbers, strict=True):
        first_tokens = {number: token for token, number in reversed(list(enumerate(numbers))) if number is not None}
        own = [IGNORED] * len(numbers)
        for number, token in first_tokens.items():
            own[token] = words[number]
        labels.append(own)
        scored.append(tuple(sorted(first_tokens)))
    empty = [split.location(sentence) for sentence, words in enumerate(scored) if not words]
    if empty:
        raise DataError(
            f"{listed(empty, 3)}: no word of the sentence has a token in the model's tokenizer. Correct or remove it."
        )
    return labels, tuple(scored)


def outside_class(label_names: Sequence[str]) -> int:
    """Return the class that words without a token count as predicted: ``O`` if there is one, else the first."""
    return label_names.index("O") if "O" in label_names else 0
