"""Check the evaluation on the test split: some sentences are evaluated once more, one by one, from their text.

The second evaluation shares with the first only the model, its tokenizer and ``encode``: no batches, no padding, no
cached prefix, no code of an engine. A sentence has to get the same class scores both ways. This finds test sentences in
another order or of another split, scores of other weights, dropout that stayed on, padding that is not masked, and
another number format.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from freezebench.runs.weights import UnsoundRunError
from freezebench.tasks.classification import logits_of
from freezebench.training.batches.encoding import collator, encode, longest_input, to_device
from freezebench.training.device import autocast
from freezebench.training.prefix.verify import SCORE_TOLERANCE
from freezebench.units import percent_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from transformers import PreTrainedTokenizerBase

    from freezebench.data.splits import Split
    from freezebench.records.run_record import Evaluation, RunRecord
    from freezebench.specs.run import Precision
    from freezebench.training.batches.encoding import Batch, Encoded

DEPENDS_ON_PADDING = (
    "the model's class scores of a sentence change with padding, as if it had no attention mask: predictions hold for "
    "the batches of the evaluation, which are the same for every engine"
)
_NUM_SENTENCES = 4  # of every run; a mistake concerns more than one run


def check_data(
    splits: Mapping[str, Split], encoded: Mapping[str, Encoded], encode_again: Callable[[Split], Encoded]
) -> None:
    """Check that the tokenized splits are those of the data: all labels, and some sentences.

    Args:
        splits: The data.
        encoded: The tokenized data.
        encode_again: Tokenizes some sentences.

    Raises:
        UnsoundRunError: If they are not.
    """
    for name, split in splits.items():
        tokenized = encoded[name]
        if len(tokenized) != len(split):
            raise UnsoundRunError(
                "not_as_specified", f"{len(tokenized):,} of {len(split):,} {name} sentences were used"
            )
        labels = tuple(example["labels"] for example in tokenized.examples)
        if not labels == tokenized.labels == split.labels:
            raise UnsoundRunError("not_as_specified", f"the labels of the {name} sentences are not those of the data")
        positions = _sample(len(split))
        if list(encode_again(split.at(positions)).examples) != [tokenized.examples[position] for position in positions]:
            raise UnsoundRunError("not_as_specified", f"the {name} sentences are not those of the data")


def _sample(num: int) -> list[int]:
    """Return the positions of some sentences of a split, evenly from the first to the last."""
    return sorted({round(position) for position in torch.linspace(0, num - 1, _NUM_SENTENCES).tolist()})


def reevaluated(
    record: RunRecord,
    model: torch.nn.Module,
    tokenizer: PreTrainedTokenizerBase,
    test: Split,
    scores: torch.Tensor,
) -> RunRecord:
    """Return a run's record with the warnings of the second evaluation; see ``Reevaluation``.

    Raises:
        UnsoundRunError: If the evaluation does not follow from the model and the test sentences.
    """
    if record.test is None:
        return record
    precision: Precision = "bf16" if record.precision == "bf16" else "float32"
    max_length = longest_input(model, tokenizer, record.spec.protocol.max_length)
    again = Reevaluation(model, tokenizer, test, precision=precision, max_length=max_length)
    return replace(record, warnings=(*record.warnings, *again.check(record.test, scores)))


class Reevaluation:
    """Evaluates some test sentences once more and compares them with the first evaluation."""

    def __init__(
        self,
        model: torch.nn.Module,
        tokenizer: PreTrainedTokenizerBase,
        test: Split,
        *,
        precision: Precision,
        max_length: int,
    ) -> None:
        """Take a trained model, whose methods are its own again, and the texts.

        Args:
            model: The model.
            tokenizer: Its tokenizer.
            test: The test split.
            precision: Number format of the run.
            max_length: Number of tokens that inputs are cut to.
        """
        self._model, self._tokenizer, self._test = model, tokenizer, test
        self._precision: Precision = precision
        self._max_length = max_length
        self._device = next(model.parameters()).device

    def check(self, evaluation: Evaluation, scores: torch.Tensor) -> tuple[str, ...]:
        """Compare; return a warning where the model itself is the reason that scores differ.

        Args:
            evaluation: The evaluation on the test split.
            scores: The class scores that it was computed from, shape (sentences, classes).

        Raises:
            UnsoundRunError: If the evaluation does not follow from the model and the test sentences.
        """
        self._check_predictions(evaluation, scores)
        positions = _sample(len(self._test))
        examples = encode(self._test.at(positions), self._tokenizer, self._model, self._max_length).examples
        batches = [{name: torch.tensor([value]) for name, value in example.items()} for example in examples]
        alone = self._scores(batches)
        if self._are_close(scores[positions], alone):
            return ()
        # The model's own code may be the reason, which is no fault of the evaluation.
        if not self._are_close(self._scores(batches), alone):
            return ("the model gives other class scores each time it evaluates a sentence, even in eval mode",)
        if not self._are_close(self._scores([collator(self._tokenizer)(list(examples))]), alone):
            return (DEPENDS_ON_PADDING,)
        largest = float((scores[positions] - alone).abs().max())
        raise UnsoundRunError(
            "not_as_specified",
            f"{len(examples)} test sentences were evaluated once more, one by one, and their class scores differ from "
            f"the first evaluation by up to {largest:.2g}",
        )

    def _check_predictions(self, evaluation: Evaluation, scores: torch.Tensor) -> None:
        """Check that there is one prediction per test sentence, and that predictions and accuracy follow from scores.

        Raises:
            UnsoundRunError: If it is not so.
        """
        if not len(evaluation.predictions) == len(scores) == len(self._test):
            raise UnsoundRunError(
                "not_as_specified",
                f"{len(evaluation.predictions):,} sentences were evaluated, and the test split has {len(self._test):,}",
            )
        num_missing = int((~torch.isfinite(scores)).any(dim=-1).sum())
        if num_missing:
            raise UnsoundRunError(
                "not_as_specified", f"{num_missing:,} test sentences have no class scores, or none that are finite"
            )
        classes = scores.argmax(dim=-1).tolist()
        num_other = sum(a != b for a, b in zip(evaluation.predictions, classes, strict=True))
        if num_other:
            raise UnsoundRunError(
                "not_as_specified", f"{num_other:,} predictions are not the class with the highest score of the model"
            )
        num_right = sum(a == b for a, b in zip(evaluation.predictions, self._test.labels, strict=True))
        accuracy = evaluation.accuracy
        if accuracy is None or abs(accuracy - num_right / len(self._test)) > 1e-9:  # noqa: PLR2004 - rounding
            raise UnsoundRunError(
                "not_as_specified",
                f"the test accuracy is given as {percent_text(accuracy)}, and {num_right:,} of {len(self._test):,} "
                "predictions are right",
            )

    @torch.inference_mode()
    def _scores(self, batches: Sequence[Batch]) -> torch.Tensor:
        """Return the class scores of the sentences of some batches in eval mode, by the model's own code."""
        was_training = self._model.training
        self._model.eval()
        # Not autocast(), which the first evaluation has used: in float32 nothing is cast.
        cast = nullcontext() if self._precision == "float32" else autocast(self._precision, self._device)
        scores = []
        for batch in batches:
            inputs = to_device({name: tensor for name, tensor in batch.items() if name != "labels"}, self._device)
            with cast:
                scores.append(logits_of(self._model(**inputs)).cpu())
        self._model.train(was_training)
        return torch.cat(scores)

    def _are_close(self, scores: torch.Tensor, expected: torch.Tensor) -> bool:
        """Return whether scores differ by rounding only; written so that NaN fails."""
        limit = SCORE_TOLERANCE[self._precision] * max(1.0, float(expected.abs().max()))
        return bool((scores - expected).abs().max() <= limit)
