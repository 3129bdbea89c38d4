"""Private names of libraries: docs/contributing/private-names.md lists all that the package uses."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch

from freezebench.training.cpu import attention
from freezebench.training.engines import step
from freezebench.training.tensor_changes import change_count

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "contributing" / "private-names.md"
# Private by documentation, though not by an underscore.
UNDOCUMENTED = {"grad_scale", "TorchFunctionMode"}
DOCUMENTED = {"_exit", "_typeshed"}  # os._exit; what type checkers provide


def _private_names(tree: ast.AST) -> Iterator[str]:
    """Yield the names in a module that are private to a library."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            is_own = isinstance(node.value, ast.Name) and node.value.id in {"self", "cls"}
            if node.attr in UNDOCUMENTED or (_is_private(node.attr) and not is_own):
                yield node.attr
        elif isinstance(node, ast.ImportFrom):
            in_private = any(map(_is_private, str(node.module).split(".")))
            names = [alias.name for alias in node.names]
            yield from (name for name in names if in_private or name in UNDOCUMENTED or _is_private(name))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "getattr":
            name = node.args[1]
            if isinstance(name, ast.Constant) and isinstance(name.value, str) and _is_private(name.value):
                yield name.value


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name not in DOCUMENTED


def test_the_page_lists_every_private_name() -> None:
    """A new private name needs a row with its reason, and a name that is gone leaves the page."""
    used = {
        (name, path.relative_to(ROOT / "freezebench").as_posix())
        for path in (ROOT / "freezebench").rglob("*.py")
        for name in _private_names(ast.parse(path.read_text(encoding="utf-8")))
    }
    rows = re.findall(r"^\| `(\w+)` \| `([\w/.]+)` \|", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert used == set(rows)


def test_softmax_gradients_need_no_private_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    """Public operations give the same gradient."""
    weights = torch.softmax(torch.randn(4, 5, 7), dim=-1)
    gradient = torch.randn(4, 5, 7)
    expected = attention.softmax_gradient(gradient.clone(), weights, None)
    monkeypatch.delattr(torch, "_softmax_backward_data")
    torch.testing.assert_close(attention.softmax_gradient(gradient.clone(), weights, None), expected)


def test_changes_are_not_counted_without_the_private_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing count is ``None``, like that of an inference tensor, and padding masks are converted every time."""
    mask = torch.ones(2, 1, 5, 5, dtype=torch.bool)
    assert change_count(mask) == 0
    mask.fill_(True)
    assert change_count(mask) == 1
    with torch.inference_mode():
        assert change_count(torch.ones(1)) is None

    def missing(_: torch.Tensor) -> int:
        raise AttributeError("_version")

    monkeypatch.setattr(torch.Tensor, "_version", property(missing))
    assert change_count(mask) is None
    bias, shape = attention.PaddingBias(), torch.Size((2, 4, 5, 5))
    first, second = (bias.rows(mask, shape, torch.float32) for _ in range(2))
    assert first is not None
    assert second is not None
    assert first is not second
    assert torch.equal(first, second)


def test_an_optimizer_that_ignores_grad_scale_is_detected(monkeypatch: pytest.MonkeyPatch) -> None:
    """One tiny step shows whether fused AdamW divides gradients by the attribute."""
    device = torch.device("cpu")
    assert step.scales_gradients.__wrapped__(device)

    class Unscaled(torch.optim.AdamW):
        def step(self, *_: object) -> None:  # type: ignore[override]
            vars(self).pop("grad_scale", None)
            super().step()

    monkeypatch.setattr(torch.optim, "AdamW", Unscaled)
    assert not step.scales_gradients.__wrapped__(device)
