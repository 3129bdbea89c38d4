"""pytest's node ids of tests: ``folder/test_file.py::TestClass::test_function[case]``."""

import hashlib
import itertools
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence

# Folders, and the ids of cases, may have brackets of their own; names of classes and functions have none.
_FUNCTION = re.compile(r"(?:::\w+)+(?=\[|\Z)")

_SEPARATOR = re.compile(r"[/\\:]")
_UNUSABLE = re.compile(r"[^A-Za-z0-9._]+")
_MAX_CHARS = 40
_HASH_CHARS = 6


def function_of(node_id: str) -> str:
    """Return the node id of a test function, given that of one of its cases; other node ids stay as they are."""
    names = _FUNCTION.search(node_id)
    return node_id if names is None else node_id[: names.end()]


def joined_names(*lists: Sequence[str]) -> list[str]:
    """Return a name for every combination of entries of several lists, as the beginning of an id.

    The names depend on the entries alone, not on the order of a list. They have letters, digits, dots, underscores and
    dashes, which need no quotes in a shell and have no meaning in pytest's ``-k``.

    Args:
        lists: Names or paths of models or data sets; without any, there is one combination, with an empty name.
    """
    joined: list[str] = []
    for shorten in (_short_names, _hashed_names):
        joined = ["-".join(names) for names in itertools.product(*(shorten(texts) for texts in lists))]
        if not _doubles(joined):
            break
    return joined


def experiment_names(pairs: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Return what a session calls each of its pairs of a model and a data set, as in the ids of tests.

    Only what varies is in the names; that of a single pair is empty.
    """
    distinct = list(dict.fromkeys(pairs))
    columns = [list(dict.fromkeys(texts)) for texts in zip(*distinct, strict=True)]
    varying = [texts if len(texts) > 1 else [] for texts in columns]
    combinations = itertools.product(*filter(None, varying))
    names = dict(zip(combinations, joined_names(*filter(None, varying)), strict=True))
    return {pair: names[tuple(text for text, texts in zip(pair, varying, strict=True) if texts)] for pair in distinct}


def _short_names(texts: Sequence[str]) -> list[str]:
    """Return the last part of every path or name; more parts, or part of a hash, where the last ones are equal."""
    parts = [[part for part in map(_plain, _SEPARATOR.split(text)) if part] for text in texts]
    most = max(map(len, parts))
    names = ["-".join(own[-1:]) for own in parts]
    for num_parts in range(2, most + 1):
        doubles = _doubles(names)
        names = [
            "-".join(own[-num_parts:]) if name.lower() in doubles else name
            for name, own in zip(names, parts, strict=True)
        ]
    doubles = {"", *_doubles(names)}
    return [
        _with_hash(name, text) if name.lower() in doubles or len(name) > _MAX_CHARS else name
        for name, text in zip(names, texts, strict=True)
    ]


def _hashed_names(texts: Sequence[str]) -> list[str]:
    """Return names with part of a hash, where those of several lists together would be equal: a-b and c, a and b-c."""
    return [_with_hash(_short_names([text])[0], text) for text in texts]


def _with_hash(name: str, text: str) -> str:
    digest = hashlib.sha256(text.encode()).hexdigest()[:_HASH_CHARS]
    return "-".join(part for part in (name[:_MAX_CHARS].rstrip(".-"), digest) if part)


def _plain(part: str) -> str:
    """Return a part of a path with ASCII characters that mean nothing to pytest and to a shell."""
    ascii_part = unicodedata.normalize("NFKD", part).encode("ascii", "ignore").decode()
    return _UNUSABLE.sub("-", ascii_part).strip(".-")


def _doubles(names: Sequence[str]) -> set[str]:
    """Return the names that several have, in lower case, since ``-k`` does not look at the case."""
    return {name for name, num in Counter(name.lower() for name in names).items() if num > 1}
