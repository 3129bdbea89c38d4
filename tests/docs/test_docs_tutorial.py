"""The tutorial: its outputs are recorded by a script, in the order of its commands."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from snippets import ROOT, Block, of_language

with pytest.MonkeyPatch.context() as patch:
    patch.syspath_prepend(str(ROOT / "benchmarks"))
    import tutorial

PAGE = "docs/tutorial/first-hour.md"
BLOCKS = [block for block in of_language("text") if block.page == PAGE]
EXAMPLE = """
```python
# test_it.py
freeze
```

```sh
python -m pip install freezebench
pytest test_it.py
```

<!-- lines: INFERIOR | === ; FAILED | -->

```text title="Recorded output: yesterday"
old
```
"""


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_every_output_is_recorded(block: Block) -> None:
    """Above each one, a comment names the lines that the script takes."""
    lines = (ROOT / PAGE).read_text(encoding="utf-8").splitlines()
    assert block.title.startswith("Recorded output: ")
    assert lines[block.line - 3].startswith("<!-- lines: ")
    assert block.text.strip()


def test_the_script_replaces_outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It writes the files of the page, runs its commands but for those that install, and shows the named lines."""
    page = tmp_path / "page.md"
    page.write_text(EXAMPLE, encoding="utf-8")
    called = []

    def run(words: list[str], *, cwd: Path, **_: object) -> object:
        called.append(words[1:])
        assert (cwd / "test_it.py").read_text(encoding="utf-8") == "# test_it.py\nfreeze\n"
        output = "dots\nINFERIOR emb\nmore\n=== end\nFAILED test\n"
        return type("Process", (), {"stdout": output})

    monkeypatch.setattr("subprocess.run", run)
    monkeypatch.setattr(sys, "argv", ["tutorial.py", str(tmp_path / "new"), f"--page={page}"])
    tutorial.main()
    assert called == [["-m", "pytest", "test_it.py"]]
    text = page.read_text(encoding="utf-8")
    assert "\nINFERIOR emb\nmore\n…\nFAILED test\n```" in text
    assert re.search(r'title="Recorded output: .+, \d+ cores, \d{4}-\d\d-\d\d"', text)
    with pytest.raises(SystemExit, match="no line begins with"):
        tutorial.selected("dots", "INFERIOR | ===")
