"""The ladder named from above."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freezebench.errors import SpecError
from freezebench.specs.freeze import FreezeSpec
from freezebench.specs.top_layers import canonical_name, names_top_layers, spec_at_depth


@given(st.integers(1, 40), st.data())
def test_the_top_layers_and_the_head_train(num_layers: int, data: st.DataObject) -> None:
    """Every other layer is frozen, whatever the depth; it is the step of the ladder with so many layers left."""
    top = data.draw(st.integers(0, num_layers))
    assert spec_at_depth(f"top-{top}", num_layers, "tiny") == FreezeSpec.prefix(num_layers - top)


def test_it_joins_other_parts() -> None:
    """In any order and case; what it freezes anyway may be named as well."""
    assert str(spec_at_depth("bitfit+TOP-2", 6, "tiny")) == "emb+L0-3+bitfit"
    assert str(spec_at_depth("top-2+L5", 6, "tiny")) == "emb+L0-3+L5"
    assert canonical_name("bitfit + Top-2") == "top-2+bitfit"
    assert canonical_name("emb+top-2+emb") == "top-2"
    assert canonical_name("L1+L0") == "L0-1"
    assert names_top_layers("bitfit+top-2")
    assert not names_top_layers("emb+L0-2+bitfit")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("top-7", "cannot train the 7 top layers alone: tiny has 6. Choose from top-0,"),
        ("top-2+top-3", "names the top layers twice. Name them once, such as top-2"),
        ("top-2+none", "joins none with other parts"),
        ("top-2+head+bitfit", "bitfit trains the head"),
        ("top-x", "cannot read 'top-x'"),
        ("top-99999", "cannot read 'top-99999'"),
    ],
)
def test_what_cannot_be_read_or_is_no_part_of_the_model_is_refused(text: str, message: str) -> None:
    """In one sentence; all but the number of layers is known without the model."""
    with pytest.raises(SpecError, match=message):
        spec_at_depth(text, 6, "tiny")
    if text != "top-7":
        with pytest.raises(SpecError, match=message):
            canonical_name(text)
