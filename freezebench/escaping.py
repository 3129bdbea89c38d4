r"""Text from outside, made safe for the place where it is written: one function for each kind of place.

Names of models, files, classes and devices, and messages of other programs, may hold any character. They pass through
the function of their destination at the place where they are written:

============================================  ==================================================
terminal, log, warning, message of an error   ``terminal_line``, ``terminal_text``
annotation of GitHub Actions                  ``annotation_message``, ``annotation_property``
Markdown: text, heading, table cell           ``markdown_text``
Markdown: code between backticks              ``markdown_code``
HTML: text, value of an attribute             ``html_text``
CSV                                           ``csv_cell``
JSON, YAML                                    ``json_text``, ``yaml_text``
command for a shell                           ``shell_word``
picture, JUnit XML, block of code             ``visible``
============================================  ==================================================

Characters that cannot be seen, or that change how other text is shown, are written as Python writes them in a string:
``\n``, ``\x1b``, ``\u202e``. A backslash itself stays as it is, so a text that was made visible can be made so again.
"""

from __future__ import annotations

import html
import json
import re
import shlex
import unicodedata

# Control and format characters (some change the direction of writing), surrogates, characters that Unicode does not
# define (XML forbids some), separators of lines and paragraphs.
_HARMFUL = {"Cc", "Cf", "Cs", "Cn", "Zl", "Zp"}
# A workflow command of GitHub begins a line, blanks aside.
_COMMAND = re.compile(r"^(\s*):(?=:)")
# What CommonMark or GitHub could take for markup: an underscore unless it is inside of a word, a bracket that begins a
# check box or ends the text of a link, a web address, a sign that begins a list, a rule or a heading unless it is that
# of a number, and the end of a number that begins a list.
_MARKUP = re.compile(
    r"[\\`*|~$#{]|(?<![^\W_])_|_(?![^\W_])|^\[|\](?=[(\[:])|:(?=//)|(?<=www)\.|^[-+=](?!\d)"
    r"|(?:(?<=^\d)|(?<=^\d\d))[.)](?=\s|$)"
)
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
# What begins a formula in a spreadsheet; some take the wide forms for the same.
_FORMULA = tuple("=+-@＝＋－＠")  # noqa: RUF001 - wide forms


def has_surrogates(text: str) -> bool:
    """Return whether a text has halves of surrogate pairs, as from bytes that are not UTF-8: no file takes them."""
    return not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text)


def visible(text: str) -> str:
    r"""Return a text as one line in which every character can be seen: ``\n`` for a new line."""
    return text if text.isprintable() else "".join(_escape(char) if _is_harmful(char) else char for char in text)


def _is_harmful(char: str) -> bool:
    return unicodedata.category(char) in _HARMFUL


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")


def _visible_lines(text: str) -> str:
    """Return a text whose lines are visible, each on its own."""
    return "\n".join(map(visible, text.split("\n")))


def terminal_line(text: str) -> str:
    """Return a line for a terminal or a log that continuous integration reads.

    No character moves the cursor, and no service takes the line for a command: GitHub those that begin with ``::``,
    Azure and TeamCity those that hold ``##vso[`` and ``##teamcity[``.
    """
    return _COMMAND.sub(r"\1\\x3a", visible(text).replace("##", r"#\x23"))


def terminal_text(text: str) -> str:
    """Return a text of several lines for a terminal; the others are indented, so that none looks like another text."""
    first, *rest = text.replace("\r\n", "\n").split("\n")
    indented = (line if not line or line.startswith(" ") else f"  {line}" for line in rest)
    return "\n".join(map(terminal_line, (first, *indented)))


def annotation_message(text: str) -> str:
    """Return the message of a workflow command of GitHub Actions."""
    # The per cent sign first, since the escape of a new line contains it.
    return _visible_lines(text).replace("%", "%25").replace("\n", "%0A")


def annotation_property(text: str) -> str:
    """Return the value of a property of a workflow command, in which comma and colon are escaped, too."""
    return annotation_message(text).replace(":", "%3A").replace(",", "%2C")


def markdown_text(text: str) -> str:
    """Return one line of Markdown in which nothing is markup, not even a web address; a table cell as well."""
    # Entities, since not every program that renders Markdown knows a backslash before these three.
    return _MARKUP.sub(r"\\\g<0>", visible(text).strip()).translate(_ENTITIES)


def markdown_code(text: str) -> str:
    """Return a text as code between backticks, outside of tables."""
    code = visible(text)
    fence = "`" * (1 + max(map(len, re.findall("`+", code)), default=0))
    blank = " " if "`" in (code[:1], code[-1:]) else ""
    return f"{fence}{blank}{code}{blank}{fence}"


def html_text(text: str) -> str:
    """Return text, or the value of an attribute, for HTML; new lines stay, since they are white space there."""
    return html.escape(_visible_lines(text))


def csv_cell(value: object) -> object:
    """Return the cell of a CSV file; a text that a spreadsheet would compute has an apostrophe in front."""
    if not isinstance(value, str):
        return value
    text = visible(value)
    return f"'{text}" if text.lstrip().startswith(_FORMULA) else text


def json_text(value: object, *, indent: int | None = None) -> str:
    """Return JSON that no program refuses and that a terminal or a log can show; it is read back as the same value.

    The exception are lone surrogates, as in the names of files that are not UTF-8. JSON has none, so these are the six
    visible characters instead.

    Raises:
        ValueError: If a number is not finite, which JSON cannot say.
    """

    def escaped(match: re.Match[str]) -> str:
        char = match.group()
        if unicodedata.category(char) == "Cs":
            return "\\" + _escape(char)
        return json.dumps(char)[1:-1] if _is_harmful(char) else char

    text = json.dumps(value, indent=indent, ensure_ascii=False, allow_nan=False)
    return re.sub(r"[^\n -~]", escaped, text).replace("##", r"#\u0023")


def yaml_text(value: object) -> str:
    """Return a value as YAML on one line: JSON, with everything but ASCII escaped as YAML does."""

    # JSON would write a character beyond the first plane as two surrogates, which YAML refuses.
    def escaped(match: re.Match[str]) -> str:
        char = match.group()
        return ("\\" if unicodedata.category(char) == "Cs" else "") + _escape(char)

    return re.sub(r"[^ -~]", escaped, json.dumps(value, ensure_ascii=False, allow_nan=False))


def shell_word(text: str) -> str:
    r"""Return a text as one word for a shell; one with invisible characters in the form ``$'\x1b'`` of bash and zsh."""
    if visible(text) == text:
        return shlex.quote(text)

    def escaped(char: str) -> str:
        if _is_harmful(char):
            # The name of a file that is not UTF-8 has its bytes as surrogates from U+DC80 on.
            errors = "surrogateescape" if "\udc80" <= char <= "\udcff" else "surrogatepass"
            return "".join(f"\\x{byte:02x}" for byte in char.encode(errors=errors))
        return f"\\{char}" if char in "'\\" else char

    return f"$'{''.join(map(escaped, text))}'"
