"""Check that a model has an embedding of every token, token type and position that the data hold, before it trains."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from numbers import Integral
from typing import TYPE_CHECKING, Any

import torch

from freezebench.errors import DataError, ModelError
from freezebench.models.layers import word_embedding
from freezebench.units import listed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from transformers import PreTrainedTokenizerBase

    from freezebench.data.splits import Split
    from freezebench.training.batches.encoding import Encoded

_SHOWN = 5  # tokens and texts that a message lists


def check_tokens(
    model_name: str,
    model: torch.nn.Module,
    tokenizer: PreTrainedTokenizerBase,
    texts: Mapping[str, Split],
    tokenized: Mapping[str, Encoded],
) -> None:
    """Check that the ids of all texts are rows of the model's word embedding and of its token types.

    Args:
        model_name: The model's name in error messages.
        model: The model.
        tokenizer: Its tokenizer, which names tokens.
        texts: The splits.
        tokenized: The same as token ids.

    Raises:
        DataError: If a token has no row.
        ModelError: If a token type has none.
    """
    words = word_embedding(model)
    if isinstance(words, torch.nn.Embedding):
        _check_words(model_name, words.num_embeddings, tokenizer, texts, tokenized)
    types = next((part for name, part in model.named_modules() if name.endswith("token_type_embeddings")), None)
    if isinstance(types, torch.nn.Embedding):
        _check_types(model_name, types.num_embeddings, tokenized)


def _check_words(
    model_name: str,
    rows: int,
    tokenizer: PreTrainedTokenizerBase,
    texts: Mapping[str, Split],
    tokenized: Mapping[str, Encoded],
) -> None:
    """Check that all token ids are below the number of rows.

    Raises:
        DataError: If one is not.
    """
    places: list[str] = []
    counts: Counter[int] = Counter()
    for name, split in tokenized.items():
        for example, fields in enumerate(split.examples):
            beyond = _beyond(fields["input_ids"], rows)
            if beyond:
                counts.update(beyond)
                places.append(texts[name].location(example))
    if not places:
        return
    tokens = listed([_token_text(tokenizer, token) for token, _ in counts.most_common()], _SHOWN)
    num_texts = "1 text holds" if len(places) == 1 else f"{len(places)} texts hold"
    raise DataError(
        f"{listed(places, _SHOWN)}: {num_texts} tokens without an embedding: {tokens}. The embeddings of {model_name} "
        f"have {rows} rows, for ids from 0 to {rows - 1}. Resize them and save the model again, "
        "model.resize_token_embeddings(len(tokenizer)), or give the tokenizer that belongs to the model."
    )


def _beyond(tokens: Sequence[object], rows: int) -> set[int]:
    """Return the ids that are no rows."""
    ids: Any = tokens
    # Both functions are ten times as fast as a look at each of millions of tokens. Any callable may tokenize: what it
    # returns may have no order.
    with suppress(TypeError):
        if min(ids) >= 0 and max(ids) < rows:
            return set()
    return {int(token) for token in tokens if isinstance(token, Integral) and not 0 <= int(token) < rows}


def _token_text(tokenizer: PreTrainedTokenizerBase, token: int) -> str:
    """Return a token with its id: ``'<url>' (id 30522)``."""
    try:
        text: object = tokenizer.convert_ids_to_tokens(token)
    except Exception:  # noqa: BLE001 - any callable may tokenize
        return f"id {token}"
    return f"{text!r} (id {token})"


def _check_types(model_name: str, rows: int, tokenized: Mapping[str, Encoded]) -> None:
    """Check that all token types are below the number of rows.

    Raises:
        ModelError: If one is not.
    """
    for split in tokenized.values():
        if not split.examples or "token_type_ids" not in split.examples[0]:
            continue
        largest = max(max(example["token_type_ids"], default=0) for example in split.examples)
        if largest >= rows:
            raise ModelError(
                f"cannot train {model_name}: its tokenizer gives token types up to {largest}, but the model has {rows} "
                f"(type_vocab_size). Give the tokenizer that belongs to the model, or train on one text column."
            )
