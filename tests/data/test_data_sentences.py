"""Generated sentences: deterministic, balanced, and hard enough to be informative."""

from __future__ import annotations

import hashlib
import re

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from freezebench.data import lexicon
from freezebench.data.lexicon import load_words, read_ratings, side_of
from freezebench.data.load import load_data
from freezebench.data.read import GENERATED_SIZES
from freezebench.data.sentences import MAX_SENTENCES, SentenceSplit, generate_split
from freezebench.errors import DataError
from freezebench.specs.run import DataSpec

pytest.importorskip("vaderSentiment", reason="the polarity words come with the extra 'embedded'")

SPLITS: tuple[SentenceSplit, ...] = ("train", "validation", "test")


def _words(sentence: str) -> set[str]:
    return set(re.findall(r"[a-z]+", sentence.lower()))


def test_a_seed_determines_the_sentences() -> None:
    """The sentences are the same on every machine and in every version."""
    lines = [f"{label} {text}" for split in SPLITS for text, label in generate_split(split, num_sentences=50, seed=0)]
    digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    assert digest == "e8f0988fa328ae4d6f94afd350c26aea235b3877428ea262c7331dc21b5d2b21"


@given(st.sampled_from(SPLITS), st.integers(1, 300), st.integers(0, 2**40))
@hypothesis_settings(max_examples=25)
def test_any_size_is_balanced_distinct_and_readable(split: SentenceSplit, num: int, seed: int) -> None:
    """Labels alternate, no sentence occurs twice, and each is a plain English sentence."""
    examples = generate_split(split, num_sentences=num, seed=seed)
    assert [label for _, label in examples] == [(index + 1) % 2 for index in range(num)]
    assert len({text for text, _ in examples}) == num
    for text, _ in examples:
        assert text.isascii()
        assert text[0].isupper()
        assert text[-1] in ".!"
        assert not re.search(r"[{}]|  | a [aeio]", text)


def test_splits_share_no_sentence_and_test_shares_no_content_word() -> None:
    """Words memorized in training do not help in the test."""
    texts = {split: {text for text, _ in generate_split(split, num_sentences=3000, seed=42)} for split in SPLITS}
    assert not texts["train"] & texts["validation"]
    content = {side: load_words(side).all for side in ("train", "test")}
    assert not content["train"] & content["test"]
    seen = {split: set().union(*map(_words, sentences)) for split, sentences in texts.items()}
    assert not seen["test"] & content["train"]
    assert not (seen["train"] | seen["validation"]) & content["test"]
    assert len(seen["test"] & content["test"]) > 100


def test_word_families_stay_on_one_side() -> None:
    """A model trained with "delightful" is not tested with "delighted"."""
    assert side_of("delightful") == side_of("delighted")
    assert {side_of(word) for word in read_ratings()} == {"train", "test"}


def test_every_side_has_words_for_every_role() -> None:
    """Every template can be filled on both sides."""
    for side in ("train", "test"):
        words = load_words(side)
        for group in (words.nouns, words.adjectives, words.others):
            assert all(len(found) >= 2 for found in group.values())


@pytest.mark.parametrize("num", [0, MAX_SENTENCES + 1])
def test_sizes_beyond_the_grammar_are_refused(num: int) -> None:
    """The grammar would repeat itself or never end."""
    with pytest.raises(DataError, match="the grammar gives 1 to"):
        generate_split("train", num_sentences=num, seed=0)


def test_a_missing_package_gives_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the package of polarity words there are no sentences."""
    monkeypatch.setattr(lexicon, "PACKAGE", "no_such_package_of_words")
    with pytest.raises(DataError, match=r"pip install 'freezebench\[embedded\]'"):
        read_ratings()


def test_counting_words_is_not_enough() -> None:
    """Logistic regression on a bag of words reaches at most 75 % on the preset's sentences."""
    text = pytest.importorskip("sklearn.feature_extraction.text", reason="scikit-learn is in the dev extra")
    linear_model = pytest.importorskip("sklearn.linear_model")
    data = load_data(DataSpec(source="generated"))
    assert data.generated
    assert data.num_examples == dict(GENERATED_SIZES)
    for ngrams in ((1, 1), (1, 2)):
        counter = text.CountVectorizer(ngram_range=ngrams)
        counts = counter.fit_transform([one for (one,) in data.train.texts])
        classifier = linear_model.LogisticRegression(max_iter=2000).fit(counts, data.train.labels)
        assert classifier.score(counter.transform([one for (one,) in data.test.texts]), data.test.labels) <= 0.75
