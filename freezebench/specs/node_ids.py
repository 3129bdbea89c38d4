"""pytest's node ids of tests: ``folder/test_file.py::TestClass::test_function[case]``."""

import re

# Folders, and the ids of cases, may have brackets of their own; names of classes and functions have none.
_FUNCTION = re.compile(r"(?:::\w+)+(?=\[|\Z)")


def function_of(node_id: str) -> str:
    """Return the node id of a test function, given that of one of its cases; other node ids stay as they are."""
    names = _FUNCTION.search(node_id)
    return node_id if names is None else node_id[: names.end()]
