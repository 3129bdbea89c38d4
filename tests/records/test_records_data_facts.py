"""Facts of a data set: the hashes of all that a run reads."""

from __future__ import annotations

from dataclasses import replace

from freezebench.records.data_facts import SetFacts
from made_up import facts

FURTHER = SetFacts(name="tweets", source="reviews:tweets", num_test=2, test_sha256="w", test_labels=(0, 1))


def test_hashes_are_those_of_splits_and_further_test_sets() -> None:
    """Each has its name, and a data set without further ones has three."""
    own = facts(4)
    assert own.content_hashes == {"train": "t", "validation": "v", "test": "test4"}
    assert replace(own, test_sets=(FURTHER,)).content_hashes == {**own.content_hashes, "test:tweets": "w"}


def test_slices_and_groups_have_a_hash_of_their_own() -> None:
    """A file may change in these columns alone: its texts and labels have the same hash then."""
    own = facts(4)
    sliced = replace(own, test_slices=(0, 0, 1, 1), slice_names=("a", "b"))
    others = [
        replace(sliced, test_slices=(0, 1, 1, 1)),
        replace(sliced, slice_names=("a", "c")),
        replace(sliced, test_groups=(0, 1, 2, 2)),
        replace(own, test_sets=(replace(FURTHER, test_groups=(0, 0)),)),
    ]
    hashes = [tuple(other.content_hashes.items()) for other in (own, sliced, *others)]
    assert len(set(hashes)) == len(hashes)
