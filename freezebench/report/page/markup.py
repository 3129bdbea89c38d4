"""HTML elements; every text is escaped unless it is ``Html`` already."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from freezebench.escaping import html_text
from freezebench.units import NOT_MEASURED

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_VOID = {"br", "hr", "img", "meta"}


# The type does the escaping: a plain string enters a page only through ``text``, which escapes it. Only this module and
# the page's own style and script make ``Html``.
class Html(str):
    """A piece of HTML; other strings are text and are escaped."""

    __slots__ = ()


Content = str | None


def text(content: Content) -> Html:
    """Return content as HTML: ``Html`` unchanged, other strings escaped."""
    if content is None:
        return Html("")
    return content if isinstance(content, Html) else Html(html_text(content))


def element(name: str, /, *contents: Content, **attributes: str | None) -> Html:
    """Return an element.

    Args:
        name: Its tag. Tags and names of attributes are not escaped, so they are never taken from data.
        contents: Text and elements inside; ``None`` is left out.
        attributes: Values by name, ``_`` for ``-``, a trailing ``_`` after a Python keyword; ``None`` is left out.
    """
    pairs = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html_text(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in _VOID:
        return Html(f"<{name}{pairs}>")
    return Html(f"<{name}{pairs}>{joined(contents)}</{name}>")


def joined(contents: Iterable[Content], separator: str = "") -> Html:
    """Return several pieces as one piece of HTML."""
    return Html(separator.join(text(content) for content in contents if content is not None))


def section(title: str, *contents: Content, **attributes: str | None) -> Html:
    """Return a section under a heading."""
    return element("section", element("h2", title), *contents, **attributes)


def definitions(pairs: Iterable[tuple[Content, Content]]) -> Html:
    """Return a list of terms with their descriptions."""
    rows = [element("div", element("dt", term), element("dd", description)) for term, description in pairs]
    return element("dl", *rows)


def bullets(items: Iterable[Content]) -> Html:
    """Return a list of points."""
    return element("ul", *(element("li", item) for item in items))


def data_table(caption: str, headers: Sequence[str], rows: Sequence[Sequence[Content]]) -> Html:
    """Return a table in a box that scrolls sideways; the first cell of a row names the row.

    Args:
        caption: The sentence under the table.
        headers: Headings of its columns; one that no row fills is left out.
        rows: The cells of every row.
    """
    filled = filled_columns(headers, rows)
    head = element("tr", *(element("th", header, scope="col") for header in itertools.compress(headers, filled)))
    body = []
    for row in rows:
        first, *rest = itertools.compress(row, filled)
        body.append(element("tr", element("th", first, scope="row"), *(element("td", cell) for cell in rest)))
    table = element("table", element("thead", head), element("tbody", *body))
    return joined([scroller(table, caption), element("p", caption, class_="more")])


def filled_columns(headers: Sequence[str], rows: Sequence[Sequence[Content]]) -> list[bool]:
    """Return of every column whether some row fills it, so that a table shows it."""
    return [any(row[column] not in (NOT_MEASURED, None) for row in rows) for column in range(len(headers))]


def scroller(table: Html, label: str) -> Html:
    """Return a table in a box that scrolls sideways, also by keyboard, under a hint for narrow screens."""
    hint = element("p", "Scroll the table sideways →", class_="hint", aria_hidden="true")
    # A group and no region: a page has a dozen of tables, and landmarks are for its few main parts.
    return joined([hint, element("div", table, class_="scroll", tabindex="0", role="group", aria_label=label)])


def copyable(code: str) -> Html:
    """Return code with a button that copies it; the page's script shows the button."""
    button = element("button", "copy", type="button", class_="copy", hidden="")
    return element("div", element("pre", element("code", code)), button)
