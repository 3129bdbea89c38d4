"""Check the evaluation on the test split: some sentences are evaluated once more, one by one, from their text.

The second evaluation shares with the first only the model, its tokenizer and ``encode``: no batches, no padding, no
cached prefix, no code of an engine. A sentence has to get the same scores both ways. This finds test sentences in
another order or of another split, scores of other weights, dropout that stayed on, padding that is not masked, and
another number format.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from itertools import accumulate
from typing import TYPE_CHECKING

import torch

from freezebench.data.task import FURTHER
from freezebench.records.scores import pack_scores
from freezebench.runs.weights import UnsoundRunError
from freezebench.tasks.base import IGNORED
from freezebench.tasks.registry import TASKS
from freezebench.tasks.scores import logits_of
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
    "the model's scores of a sentence change with padding, as if it had no attention mask: predictions hold for "
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
        if not (tokenized.labels == split.labels and _labels_of_batches(tokenized) == _expected_labels(tokenized)):
            raise UnsoundRunError("not_as_specified", f"the labels of the {name} sentences are not those of the data")
        positions = _sample(len(split))
        if list(encode_again(split.at(positions)).examples) != [tokenized.examples[position] for position in positions]:
            raise UnsoundRunError("not_as_specified", f"the {name} sentences are not those of the data")


def _labels_of_batches(tokenized: Encoded) -> list[object]:
    """Return the label of every sentence as batches have it; of words the labels that are not ignored."""
    labels = [example["labels"] for example in tokenized.examples]
    if not tokenized.task.by_word:
        return labels
    return [[label for label in own if label != IGNORED] for own in labels]


def _expected_labels(tokenized: Encoded) -> list[object]:
    """Return the same by the labels of the data."""
    if tokenized.scored_words is None:
        return [tokenized.task.batch_label(label) for label in tokenized.labels]
    pairs = zip(tokenized.labels, tokenized.scored_words, strict=True)
    return [[labels[word] for word in words] for labels, words in pairs]


def _sample(num: int) -> list[int]:
    """Return the positions of some sentences of a split, evenly from the first to the last."""
    return sorted({round(position) for position in torch.linspace(0, num - 1, _NUM_SENTENCES).tolist()})


def reevaluated(
    record: RunRecord,
    model: torch.nn.Module,
    tokenizer: PreTrainedTokenizerBase,
    splits: Mapping[str, Split],
    scores: Mapping[str, torch.Tensor],
) -> RunRecord:
    """Return a run's record with the warnings of the second evaluation of every test set; see ``Reevaluation``.

    Args:
        record: The record.
        model: The trained model.
        tokenizer: Its tokenizer.
        splits: The splits by name.
        scores: The scores of every test set that the evaluations were computed from, by the name of its split.

    Raises:
        UnsoundRunError: If an evaluation does not follow from the model and the test sentences.
    """
    if record.test is None:
        return record
    precision: Precision = "bf16" if record.precision == "bf16" else "float32"
    max_length = longest_input(model, tokenizer, record.spec.protocol.max_length)
    evaluations = {"test": record.test} | {f"{FURTHER}{name}": further for name, further in record.tests.items()}
    warnings: list[str] = []
    for name, evaluation in evaluations.items():
        again = Reevaluation(model, tokenizer, splits[name], precision=precision, max_length=max_length)
        warnings += again.check(evaluation, scores[name])
    return replace(record, warnings=(*record.warnings, *dict.fromkeys(warnings)))


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
        self._task = TASKS[test.task]
        self._precision: Precision = precision
        self._max_length = max_length
        self._device = next(model.parameters()).device

    def check(self, evaluation: Evaluation, scores: torch.Tensor) -> tuple[str, ...]:
        """Compare; return a warning where the model itself is the reason that scores differ.

        Args:
            evaluation: The evaluation on the test split.
            scores: The scores that it was computed from, shape (rows, outputs).

        Raises:
            UnsoundRunError: If the evaluation does not follow from the model and the test sentences.
        """
        self._check_predictions(evaluation, scores)
        positions = _sample(len(self._test))
        encoded = encode(self._test.at(positions), self._tokenizer, self._model, self._max_length)
        examples = list(encoded.examples)
        first = scores[self._rows(positions, encoded)]
        batches = [{name: torch.tensor([value]) for name, value in example.items()} for example in examples]
        alone = self._scores(batches)
        if self._are_close(first, alone):
            return ()
        # The model's own code may be the reason, which is no fault of the evaluation.
        if not self._are_close(self._scores(batches), alone):
            return ("the model gives other scores each time it evaluates a sentence, even in eval mode",)
        if not self._are_close(self._scores([collator(self._tokenizer, self._task)(examples)]), alone):
            return (DEPENDS_ON_PADDING,)
        largest = float((first - alone).abs().max())
        raise UnsoundRunError(
            "not_as_specified",
            f"{len(examples)} test sentences were evaluated once more, one by one, and their scores differ from "
            f"the first evaluation by up to {largest:.2g}",
        )

    def _rows(self, positions: Sequence[int], encoded: Encoded) -> list[int]:
        """Return which rows of the scores are those of some sentences; of words, those that have a token."""
        if encoded.scored_words is None:
            return list(positions)
        starts = list(accumulate(map(len, self._test.labels), initial=0))
        return [
            starts[position] + word
            for position, words in zip(positions, encoded.scored_words, strict=True)
            for word in words
        ]

    def _check_predictions(self, evaluation: Evaluation, scores: torch.Tensor) -> None:
        """Check that there are scores of every sentence or word, and that all else follows from them.

        Raises:
            UnsoundRunError: If it is not so.
        """
        task, targets = self._task, self._task.targets(self._test.labels)
        unit = "words" if task.by_word else "sentences"
        num_predicted = (
            len(evaluation.predictions) * len(targets) / targets.numel() if task.has_classes else len(scores)
        )
        if not num_predicted == len(scores) == len(targets):
            raise UnsoundRunError(
                "not_as_specified",
                f"{num_predicted:,.0f} {unit} were evaluated, and the test split has {len(targets):,}",
            )
        num_missing = int((~torch.isfinite(scores)).any(dim=-1).sum())
        if num_missing:
            raise UnsoundRunError(
                "not_as_specified", f"{num_missing:,} test {unit} have no scores, or none that are finite"
            )
        if evaluation.scores is not None and evaluation.scores != pack_scores(scores.numpy()):
            raise UnsoundRunError("not_as_specified", "the scores in the record are not those of the model")
        if not task.has_classes:
            return
        predictions = torch.tensor(evaluation.predictions).reshape(targets.shape)
        num_other = int((predictions != task.predictions(scores)).sum())
        if num_other:
            raise UnsoundRunError(
                "not_as_specified", f"{num_other:,} predictions do not follow from the scores of the model"
            )
        is_right = (predictions == targets).reshape(len(targets), -1).all(dim=1)
        num_right, accuracy = int(is_right.sum()), evaluation.accuracy
        if accuracy is None or abs(accuracy - num_right / len(targets)) > 1e-9:  # noqa: PLR2004 - rounding
            raise UnsoundRunError(
                "not_as_specified",
                f"the test accuracy is given as {percent_text(accuracy)}, and {num_right:,} of {len(targets):,} "
                "predictions are right",
            )

    @torch.inference_mode()
    def _scores(self, batches: Sequence[Batch]) -> torch.Tensor:
        """Return the scores of the sentences of some batches in eval mode, by the model's own code."""
        was_training = self._model.training
        self._model.eval()
        # Not autocast(), which the first evaluation has used: in float32 nothing is cast.
        cast = nullcontext() if self._precision == "float32" else autocast(self._precision, self._device)
        scores = []
        for batch in batches:
            inputs = to_device({name: tensor for name, tensor in batch.items() if name != "labels"}, self._device)
            with cast:
                logits = logits_of(self._model(**inputs))
            scores.append(self._task.rows(logits, batch["labels"]).cpu())
        self._model.train(was_training)
        return torch.cat(scores)

    def _are_close(self, scores: torch.Tensor, expected: torch.Tensor) -> bool:
        """Return whether scores differ by rounding only; written so that NaN fails."""
        limit = SCORE_TOLERANCE[self._precision] * max(1.0, float(expected.abs().max()))
        return bool((scores - expected).abs().max() <= limit)
