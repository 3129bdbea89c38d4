"""Generated sentences: reviews in English from a small grammar, for benchmarks that need no download.

Words carry polarity, and structure changes it: in a negation, contrast, concession or comparison, the opinion of the
sentence differs from that of its words. The test split has content words of its own (:mod:`freezebench.data.lexicon`),
so that a model needs what it learned in pretraining; words memorized in training do not help.
"""

from __future__ import annotations

import hashlib
import random
import re
from typing import TYPE_CHECKING, Literal, TypeVar, get_args

from freezebench.data.lexicon import load_words
from freezebench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezebench.data.lexicon import Words

T = TypeVar("T")

SentenceSplit = Literal["train", "validation", "test"]

MAX_SENTENCES = 50_000

# In every template {n} is the subject of the opinion and {m} another noun. {adj}, {verb}, {effect} and {thing} have the
# sentence's polarity, {opp…} the opposite one: it is negated, outweighed, or not about {n}.
# The weights are shares in percent. They determine most of the difficulty: the more sentences depend on structure, the
# more training they need and the more a frozen prefix costs.
_STRUCTURES: tuple[tuple[str, int, tuple[str, ...]], ...] = (
    (
        "plain",
        52,
        (
            "The {n} was {adv} {adj}.",
            "This {n} is {adj} and {adj2}.",
            "It was a {adj}, {adj2} {n}.",
            "We {verb} the {n} from beginning to end.",
            "Everyone at our table {verb} the {n}.",
            "The {n} {effect} all of us.",
            "The {n} {effect} me more than anything else.",
            "What a {adj} {n}!",
            "That {n} was a {thing} for the whole family.",
            "I have told everybody about this {adj} {n}.",
        ),
    ),
    (
        "intensity",
        14,
        (
            "The {n} was so {adj} that I told everyone.",
            "I cannot say how {adj} the {n} was.",
            "The {n} could not have been more {adj}.",
            "I have never known such a {adj} {n}.",
            "Nobody had told us how {adj} the {n} was.",
            "Not only was the {n} {adj}, it was {adj2} too.",
        ),
    ),
    (
        "negation",
        12,
        (
            "The {n} was not {opp} at all.",
            "The {n} was by no means {opp}.",
            "There was nothing {opp} about the {n}.",
            "I would never call the {n} {opp}.",
            "The {n} was far from {opp}.",
            "Nobody {oppverb} the {n}.",
            "That {n} was no {oppthing}.",
        ),
    ),
    (
        "contrast",
        8,
        (
            "The {n} seemed {opp} at first, but it was {adj}.",
            "I expected a {opp} {n}, but it was {adj}.",
            "The {m} was {opp}, but the {n} was {adj}.",
            "Everyone had called the {n} {opp}, yet it {effect} me.",
            "Instead of a {opp} {n} we got a {adj} one.",
        ),
    ),
    (
        "concession",
        8,
        (
            "Although the {m} was {opp}, the {n} was {adj}.",
            "The {n} was {adj}, although the {m} was {opp}.",
            "Despite the {opp} {m}, the {n} was {adj}.",
            "The {n} {effect} us, even if the {m} was {opp}.",
            "Even though some called it {opp}, we {verb} the {n}.",
        ),
    ),
    (
        "comparison",
        6,
        (
            "The {n} was less {opp} than I had expected.",
            "The {n} was even more {adj} than the {m}.",
            "Unlike the {opp} {m}, the {n} {effect} us.",
            "Next to the {opp} {m}, the {n} was {adj}.",
            "Compared with the {opp} {m}, the {n} was {adj}.",
        ),
    ),
)

_ADVERBS = ("really", "truly", "absolutely", "simply", "utterly", "quite", "very", "rather", "just plain")
_OPENINGS = ("", "", "", "This time, ", "In the end, ", "In short, ", "As for me, ", "Looking back, ", "All in all, ")

# Sentences of the train side belong to train or validation by a hash of their text, so that the two splits are disjoint
# for all sizes and seeds.
_VALIDATION_BYTE = 64

_A_BEFORE_VOWEL = re.compile(r"\b([Aa]) (?=[aeio]|u(?!se|ni)|hon)")


def generate_split(split: SentenceSplit, *, num_sentences: int, seed: int) -> list[tuple[str, int]]:
    """Return sentences of one split with their labels (1 positive, 0 negative), the two in turn.

    The arguments determine the sentences on every platform and version of Python. No sentence occurs twice, not even in
    another split or with another seed of the train side. The test split shares no content word with the others.

    Args:
        split: ``train``, ``validation`` or ``test``.
        num_sentences: How many, at most ``MAX_SENTENCES``.
        seed: Any whole number.

    Raises:
        DataError: If there is no such split, the number of sentences exceeds what the grammar can generate, or the
            package with the polarity words is not installed.
    """
    if split not in get_args(SentenceSplit):
        raise DataError(f"there is no generated split {split!r}. Choose from {', '.join(get_args(SentenceSplit))}.")
    if not 0 < num_sentences <= MAX_SENTENCES:
        raise DataError(
            f"cannot generate {num_sentences} {split} sentences: the grammar gives 1 to {MAX_SENTENCES:,} different "
            "ones. Request fewer, or give your own data with --freeze-data."
        )
    writer = _Writer(load_words("test" if split == "test" else "train"), _generator(split, seed))
    seen: set[str] = set()
    examples: list[tuple[str, int]] = []
    while len(examples) < num_sentences:
        positive = len(examples) % 2 == 0
        sentence = writer.write(positive=positive)
        if sentence in seen or (split != "test" and _goes_to_validation(sentence) != (split == "validation")):
            continue
        seen.add(sentence)
        examples.append((sentence, int(positive)))
    return examples


def _generator(split: str, seed: int) -> random.Random:
    """Return the random numbers of one split; only ``random()`` gives the same numbers in all versions of Python."""
    digest = hashlib.sha256(f"{split}:{seed}".encode()).digest()
    return random.Random(int.from_bytes(digest, "big"))  # noqa: S311 - no secret


def _goes_to_validation(sentence: str) -> bool:
    return hashlib.sha256(sentence.encode()).digest()[0] < _VALIDATION_BYTE


class _Writer:
    """Fills templates with words."""

    def __init__(self, words: Words, generator: random.Random) -> None:
        self._words, self._generator = words, generator
        self._templates = [templates for _, weight, templates in _STRUCTURES for _ in range(weight)]
        self._kinds = tuple(words.nouns)

    def write(self, *, positive: bool) -> str:
        """Return a sentence with a positive or a negative opinion."""
        template = self._choose(self._choose(self._templates))
        kind = self._choose(self._kinds)
        adjectives = self._words.adjectives
        noun, other_noun = self._choose_two(self._words.nouns[kind])
        adjective, second_adjective = self._choose_two(adjectives[kind, positive])
        slots = {"n": noun, "m": other_noun, "adj": adjective, "adj2": second_adjective}
        slots["opp"] = self._choose(adjectives[kind, not positive])
        slots["adv"] = self._choose(_ADVERBS)
        for role in ("verb", "effect", "thing"):
            slots[role] = self._choose(self._words.others[role, positive])
            slots[f"opp{role}"] = self._choose(self._words.others[role, not positive])
        sentence = template.format(**slots)
        opening = self._choose(_OPENINGS)
        if opening and not sentence.endswith("!"):
            sentence = opening + (sentence if sentence.startswith("I ") else sentence[0].lower() + sentence[1:])
        return _A_BEFORE_VOWEL.sub(r"\1n ", sentence)

    def _choose(self, choices: Sequence[T]) -> T:
        return choices[int(self._generator.random() * len(choices))]

    def _choose_two(self, choices: Sequence[T]) -> tuple[T, T]:
        """Return two different elements."""
        first = int(self._generator.random() * len(choices))
        second = int(self._generator.random() * (len(choices) - 1))
        return choices[first], choices[second + (second >= first)]
