"""Node ids of tests, in folders of any name."""

import re
from itertools import product
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freezebench.specs.node_ids import experiment_names, function_of, joined_names


@pytest.mark.parametrize(
    "path",
    [
        "test_it.py",
        "proj[1]/test_it.py",
        "[a]/b [c]/test_it.py",
        "é %s'\"/test_it.py",
        "a\nb/test_it.py",
        "x:y/test_it.py",
    ],
)
@pytest.mark.parametrize("names", ["test_it", "TestIt::test_it", "TestIt::TestÉ::test_ü"])
@pytest.mark.parametrize("case", ["", "[none]", "[emb+L0-1]", "[none-a::b[c]]", "[a\nb]", "[]"])
def test_the_function_of_a_case(path: str, names: str, case: str) -> None:
    """Brackets in the names of folders and in the ids of cases do not end it."""
    assert function_of(f"{path}::{names}{case}") == f"{path}::{names}"


@pytest.mark.parametrize("node_id", ["a.yaml::first [1] case", "proj[1]"])
def test_what_is_no_function_stays(node_id: str) -> None:
    """Items that are not Python have node ids of any form."""
    assert function_of(node_id) == node_id


NAMES: dict[str, tuple[list[list[str]], list[str]]] = {
    "none": ([], [""]),
    "models": ([["distilbert-base-uncased", "org/bert_v1.5"]], ["distilbert-base-uncased", "bert_v1.5"]),
    "both": ([["a", "x/b"], ["glue:sst2", "./films/"]], ["a-sst2", "a-films", "b-sst2", "b-films"]),
    "factories": ([["my.models:tiny", "C:\\runs\\best"]], ["tiny", "best"]),
    "same last part": ([["runs/1/model", "runs/2/model", "other"]], ["1-model", "2-model", "other"]),
    "no more parts": ([["model", "runs/model"]], ["model", "runs-model"]),
    "case": ([["x/BERT", "y/bert"]], ["x-BERT", "y-bert"]),
    "only punctuation differs": ([["my data", "my,data"]], ["my-data-b2167b", "my-data-ebc890"]),
    "other alphabets": ([["Modèle (é)", "模型"]], ["Modele-e", "c98e11"]),
    "current folder": ([[".", "../best"]], ["cdb4ee", "best"]),
    "together": (
        [["a", "a-b"], ["b-c", "c"]],
        ["a-ca9781-b-c-ea8fa8", "a-ca9781-c-2e7d2c", "a-b-d44362-b-c-ea8fa8", "a-b-d44362-c-2e7d2c"],
    ),
}


@pytest.mark.parametrize("name", NAMES)
def test_names_of_combinations(name: str) -> None:
    """The last part of a path; more of it, or part of a hash, where that is not unique."""
    lists, expected = NAMES[name]
    assert joined_names(*lists) == expected


ENTRIES = st.lists(
    st.text(st.sampled_from("aAb-./:é模 "), min_size=1, max_size=60), min_size=2, max_size=4, unique=True
)


@given(st.lists(ENTRIES, max_size=2), st.randoms())
def test_names_differ_and_need_no_quotes(lists: list[list[str]], random: Random) -> None:
    """Also for ``-k``, which does not look at the case; the order of a list changes none of them."""
    names = joined_names(*lists)
    combinations = list(product(*lists))
    assert len({name.lower() for name in names}) == len(combinations)
    assert all(re.fullmatch("[A-Za-z0-9._][A-Za-z0-9._-]*", name) for name in names if lists)
    shuffled = [random.sample(texts, len(texts)) for texts in lists]
    by_combination = dict(zip(combinations, names, strict=True))
    assert joined_names(*shuffled) == [by_combination[combination] for combination in product(*shuffled)]


PAIRS: dict[str, tuple[list[tuple[str, str]], list[str]]] = {
    "none": ([], []),
    "one": ([("a", "x"), ("a", "x")], [""]),
    "models": ([("a", "x"), ("b", "x")], ["a", "b"]),
    "data sets": ([("a", "x"), ("a", "y")], ["x", "y"]),
    "uneven": ([("a", "x"), ("b", "y"), ("b", "x")], ["a-x", "b-y", "b-x"]),
}


@pytest.mark.parametrize("name", PAIRS)
def test_names_of_the_experiments_of_a_session(name: str) -> None:
    """Only what varies is in them, also where not every model has every data set."""
    pairs, expected = PAIRS[name]
    assert list(experiment_names(pairs).values()) == expected
