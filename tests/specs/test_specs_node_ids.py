"""Node ids of tests, in folders of any name."""

import pytest

from freezebench.specs.node_ids import function_of


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
