"""Tokens that a tokenizer does not know: a text of them alone tells a model nothing but its length."""

from __future__ import annotations

from collections import Counter
from itertools import chain
from typing import TYPE_CHECKING, Any

from freezebench.data.task import FURTHER
from freezebench.errors import ModelError
from freezebench.records.run_record import UNKNOWN_TOKENS
from freezebench.units import listed, percent_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from freezebench.training.batches.encoding import Encoded

_MANY = 0.2  # natural text in the language of a model has hardly any
# Byte-level tokenizers know every text, and use one of these tokens as the unknown one.
_OTHER_USES = ("bos_token_id", "eos_token_id", "cls_token_id", "sep_token_id", "pad_token_id", "mask_token_id")


def unknown_counts(tokenizer: Any, splits: Mapping[str, Encoded]) -> dict[str, tuple[int, int]]:
    """Return how many tokens of each split are unknown, and how many there are without special ones.

    Empty where the tokenizer has no unknown token. Any callable may tokenize.
    """
    unknown = getattr(tokenizer, "unk_token_id", None)
    if unknown is None or unknown in [getattr(tokenizer, name, None) for name in _OTHER_USES]:
        return {}
    special = set(getattr(tokenizer, "all_special_ids", ())) - {unknown}
    counts = {}
    for name, split in splits.items():
        tokens = Counter(chain.from_iterable(example["input_ids"] for example in split.examples))
        counts[name] = (tokens[unknown], sum(tokens.values()) - sum(tokens[token] for token in special))
    return counts


def check_tokens_known(model_name: str, counts: Mapping[str, tuple[int, int]]) -> None:
    """Check that the tokenizer knows some token of the training sentences.

    Args:
        model_name: The model's name in the error message.
        counts: Unknown and all tokens of each split.

    Raises:
        ModelError: If it knows none.
    """
    num_unknown, num_tokens = counts.get("train", (0, 0))
    if num_tokens and num_unknown == num_tokens:
        raise ModelError(
            f"the tokenizer of {model_name} knows no word of the training sentences: all of their {num_tokens:,} "
            "tokens are its unknown token. Save the tokenizer that belongs to the model beside its weights, "
            "and check that it has its vocabulary: len(tokenizer)."
        )


def unknown_note(counts: Mapping[str, tuple[int, int]]) -> tuple[str, ...]:
    """Return warnings of splits of which many tokens are unknown, and of further test sets; none if there are few."""
    shares = {name: num_unknown / max(num_tokens, 1) for name, (num_unknown, num_tokens) in counts.items()}
    many = {name: percent_text(share, 0) for name, share in shares.items() if share > _MANY}
    own = [f"{share} of {name}" for name, share in many.items() if not name.startswith(FURTHER)]
    unseen = "the model sees the unknown token in place of these words"
    note = (
        f"{UNKNOWN_TOKENS} {listed(own, len(own))}: {unseen}. Check that the tokenizer is the model's own and made for "
        "the language of the texts, before you change learning rates"
    )
    # Nothing is trained on a further test set, which may be in another language.
    further = [
        f"of the test set {name.removeprefix(FURTHER)} the tokenizer does not know {share}: {unseen}"
        for name, share in many.items()
        if name.startswith(FURTHER)
    ]
    return (note, *further) if own else tuple(further)
