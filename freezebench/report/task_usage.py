"""How a saved model of a task is loaded and used, for the model card: classes of transformers, and code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from freezebench.escaping import visible
from freezebench.units import with_and

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezebench.specs.names import TaskName

_TEXTS = "AutoModelForSequenceClassification"
_SENTENCE = 'tokenizer(["A sentence."], truncation=True, padding=True, return_tensors="pt")'
_WORDS = (
    'tokenizer([["A", "sentence", "."]], is_split_into_words=True, truncation=True, padding=True, return_tensors="pt")'
)


_PAIR = 'tokenizer(["A first sentence."], ["A second one."], truncation=True, padding=True, return_tensors="pt")'


@dataclass(frozen=True, kw_only=True)
class TaskUsage:
    """How models of a task are used.

    Attributes:
        auto_class: The class of transformers that loads them.
        pipeline: Name of the task on the Hub.
        title: The same as a title.
        batch: Code that makes a batch of single sentences.
        code: Lines that show what the model returns for it.
        adapter_code: The same in one line, for a model that knows no names of its outputs.
        head_arguments: Further arguments with which the pretrained model gets a head of the task.
    """

    auto_class: str = _TEXTS
    pipeline: str = "text-classification"
    title: str = "Text Classification"
    batch: str = _SENTENCE
    code: tuple[str, ...]
    adapter_code: str
    head_arguments: str = ""

    def batch_code(self, columns: Sequence[str]) -> str:
        """Return the lines that make a batch; of sentence pairs they name the columns of the two lists.

        Args:
            columns: The columns of the sentences.
        """
        if len(columns) == 1:
            return f"batch = {self.batch}"
        names = with_and([visible(repr(column)) for column in columns])
        return f"# sentence pairs, as of the columns {names}\nbatch = {_PAIR}"


USAGE: dict[TaskName, TaskUsage] = {
    "sequence-classification": TaskUsage(
        code=(
            "classes = model(**batch).logits.argmax(dim=-1)",
            "print([model.config.id2label[number] for number in classes.tolist()])",
        ),
        adapter_code=(
            "print(model.eval()(**batch).logits.argmax(dim=-1).tolist())  # the classes by number are named below"
        ),
    ),
    "regression": TaskUsage(
        code=("print(model(**batch).logits[:, 0].tolist())  # one number for every sentence",),
        adapter_code="print(model.eval()(**batch).logits[:, 0].tolist())  # one number for every sentence",
        head_arguments=', problem_type="regression"',
    ),
    "multi-label": TaskUsage(
        code=(
            "is_given = model(**batch).logits > 0",
            "print([[model.config.id2label[number] for number in row.nonzero()[:, 0].tolist()] for row in is_given])",
        ),
        adapter_code="print((model.eval()(**batch).logits > 0).tolist())  # the labels by number are named below",
        head_arguments=', problem_type="multi_label_classification"',
    ),
    "token-classification": TaskUsage(
        auto_class="AutoModelForTokenClassification",
        pipeline="token-classification",
        title="Token Classification",
        batch=_WORDS,
        code=(
            "tags = model(**batch).logits.argmax(dim=-1)[0].tolist()",
            "words = batch.word_ids(0)  # a word has the tag of its first token",
            "first = [index for index, word in enumerate(words) if word is not None and word != words[index - 1]]",
            "print([model.config.id2label[tags[index]] for index in first])",
        ),
        adapter_code=(
            "print(model.eval()(**batch).logits.argmax(dim=-1).tolist())  # a tag for every token, by number as below"
        ),
    ),
}
