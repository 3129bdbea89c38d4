"""Generated sentences: review-like English from a small grammar, for benchmarks that need no download.

Words carry the polarity and structure changes it: negation, contrast, concession and comparison set the sentence's
opinion against the words' own. The test split has content words of its own (:mod:`freezebench.tasks.lexicon`), so that
what a model knows of English from pretraining decides, not what it memorized in training.
"""

from __future__ import annotations

import hashlib
import random
import re
from typing import Literal, get_args

from freezebench.errors import DataError
from freezebench.tasks.lexicon import load_words

SentenceSplit = Literal["train", "validation", "test"]

MAX_SENTENCES = 50_000

# In every template {n} is what the opinion is about and {m} something beside it. {adj}, {verb}, {effect} and {thing}
# have the sentence's polarity, {opp…} the opposite one: it is negated, outweighed, or not about {n}.
# The weights are shares in percent. Most of the difficulty is here: the more sentences turn on structure, the more
# training they need and the more a frozen prefix costs.
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

# Sentences of the train side go to one of its two splits by a hash of their text, which keeps the splits disjoint
# whatever their sizes and seeds.
_VALIDATION_BYTE = 64


def generate_split(split: SentenceSplit, *, num_sentences: int, seed: int) -> list[tuple[str, int]]:
    if split not in get_args(SentenceSplit):
        raise DataError("x")
    words = load_words("test" if split == "test" else "train")
    source = _Source(words, _random(split, seed))
    seen: set[str] = set()
    examples: list[tuple[str, int]] = []
    while len(examples) < num_sentences:
        positive = len(examples) % 2 == 0
        s = source.sentence(positive=positive)
        if s in seen or (split != "test" and _goes_to_validation(s) != (split == "validation")):
            continue
        seen.add(s)
        examples.append((s, int(positive)))
    return examples


def _random(split, seed):
    d = hashlib.sha256(f"{split}:{seed}".encode()).digest()
    return random.Random(int.from_bytes(d, "big"))


def _goes_to_validation(s):
    return hashlib.sha256(s.encode()).digest()[0] < _VALIDATION_BYTE


class _Source:
    def __init__(self, words, rng):
        self.words, self.rng = words, rng
        self.bag = [i for i, st in enumerate(_STRUCTURES) for _ in range(st[1])]
        self.kinds = tuple(words.nouns)

    def pick(self, xs):
        return xs[int(self.rng.random() * len(xs))]

    def two(self, xs):
        i = int(self.rng.random() * len(xs))
        j = int(self.rng.random() * (len(xs) - 1))
        return xs[i], xs[j + (j >= i)]

    def sentence(self, *, positive):
        w = self.words
        self.structure, _, templates = _STRUCTURES[self.pick(self.bag)]
        t = self.pick(templates)
        kind = self.pick(self.kinds)
        n, m = self.two(w.nouns[kind])
        adj, adj2 = self.two(w.adjectives[kind, positive])
        slots = dict(
            n=n, m=m, adj=adj, adj2=adj2, opp=self.pick(w.adjectives[kind, not positive]), adv=self.pick(_ADVERBS)
        )
        for role in ("verb", "effect", "thing"):
            slots[role] = self.pick(w.others[role, positive])
            slots["opp" + role] = self.pick(w.others[role, not positive])
        s = t.format(**slots)
        o = self.pick(_OPENINGS)
        if o and not s.endswith("!"):
            s = o + (s if s.startswith("I ") else s[0].lower() + s[1:])
        return re.sub(r"\b([Aa]) (?=[aeio]|u(?!se|ni)|hon)", r"\1n ", s)
