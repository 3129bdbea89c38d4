"""What is known of a test set before anything is trained: unbalanced classes, and what it has too few examples for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezebench.report.data_text import label_counts, share_texts
from freezebench.scoring.confusion import ACCURACY, MACRO_F1
from freezebench.scoring.entities import ENTITY_F1, are_entity_tags
from freezebench.units import listed, percent_text
from freezebench.verdicts.classes import majority_class
from freezebench.verdicts.metric_subsets import subsets_with_few_labels
from freezebench.verdicts.metric_values import too_few_labels

if TYPE_CHECKING:
    from freezebench.records.data_facts import DataFacts
    from freezebench.scoring.metric import Metric

# The most frequent class is at least so many times as frequent as the rarest one.
_UNBALANCED = 3
_MOST_NAMED = 8


def label_sentences(facts: DataFacts, metric: Metric) -> list[str]:
    """Return what is known of the test set before anything is trained, in sentences.

    Args:
        facts: The data set.
        metric: The metric that judges it.
    """
    sentences = (tags_sentence, balance_sentence, too_few_sentence, few_of_subsets_sentence)
    return [text for sentence in sentences if (text := sentence(facts, metric)) is not None]


def tags_sentence(facts: DataFacts, metric: Metric) -> str | None:
    """Return that tags would be those of entities if they began with capitals; ``None``: they are, or are other ones.

    Args:
        facts: The data set.
        metric: The metric that judges it.
    """
    names = facts.label_names
    example = next((name for name in names if name[:1].islower() and "-" in name), None)
    if facts.task != "token-classification" or metric is not ACCURACY or example is None:
        return None
    if not are_entity_tags([_capitalized(name) for name in names]):
        return None
    return (
        f"Tags such as {example} are not taken for those of entities, since they begin with small letters, so that "
        f"accuracy judges the words. Write {_capitalized(example)} and so on to be judged by {ENTITY_F1.label}."
    )


def _capitalized(name: str) -> str:
    return name[:1].upper() + name[1:]


def balance_sentence(facts: DataFacts, metric: Metric) -> str | None:
    """Return the shares of the classes of the test split where they are unbalanced, and what that means for a metric.

    Args:
        facts: The data set.
        metric: The metric that judges it.
    """
    counts = label_counts(facts, facts.of_test_set())
    occurring = [num for num in counts if num]
    if facts.task != "sequence-classification" or max(occurring) < _UNBALANCED * min(occurring):
        return None
    texts = share_texts(facts, counts, facts.num_test)
    shares = [f"{name} {text}" for name, text in zip(facts.label_names, texts, strict=True)]
    sentence = f"Unbalanced classes: the test sentences are of {listed(shares, _MOST_NAMED)}."
    if metric is not ACCURACY:
        return sentence
    rarest = facts.label_names[counts.index(min(occurring))]
    few = too_few_labels(facts, MACRO_F1)
    other = f", but the test split has too few examples for it ({few})" if few else ""
    return (
        f"{sentence} Always predicting {facts.label_names[majority_class(facts)]} has an accuracy of "
        f"{percent_text(facts.majority_share)}, and a loss of {rarest} hardly shows in it. "
        f"--freeze-metric={MACRO_F1.name} weighs all classes alike{other}."
    )


def too_few_sentence(facts: DataFacts, metric: Metric) -> str | None:
    """Return that no verdict of a metric is possible on the test split; ``None``: one is, or the runs will show it.

    It follows from the labels alone, by the function that verdicts use.

    Args:
        facts: The data set.
        metric: The metric that judges it.
    """
    few = too_few_labels(facts, metric)
    if few is None:
        return None
    return (
        f"No configuration can be shown to be non-inferior by {metric.label}, whatever is trained: too few "
        f"examples in the test split ({few}). Use a test set that has more of them, or another metric."
    )


def few_of_subsets_sentence(facts: DataFacts, metric: Metric) -> str | None:
    """Return the same of slices and further test sets; ``None`` where all have enough, or the test split has not."""
    if too_few_labels(facts, metric) is not None:
        return None
    subsets = [f"{name} ({why})" for name, why in subsets_with_few_labels(facts, metric)]
    return f"Too few examples for a verdict, whatever is trained: {listed(subsets, _MOST_NAMED)}." if subsets else None
