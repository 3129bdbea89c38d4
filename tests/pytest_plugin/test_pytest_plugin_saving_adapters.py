"""--freeze-save of a configuration with adapters: the folder, the sentence, and the card's code."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tiny import sentences

pytest.importorskip("peft", reason="the extra `peft` is not installed")
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")  # of PEFT, which uses what transformers deprecates

Project = Callable[..., pytest.Pytester]


@pytest.mark.slow
@pytest.mark.usefixtures("without_matplotlib")
def test_recommended_adapters_are_saved(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The code of the card, run in the folder, loads a model that predicts what was recorded."""
    folder, report = tmp_path / "out" / "model", tmp_path / "report"
    session = project("grid='none,lora(targets=all)', num_seeds=2, margin=45")
    result = session.runpytest_inprocess(
        f"--freeze-save={folder}",
        f"--freeze-report={report}",
        "--freeze-lr=1e-2,lora(targets=all):3e-2",
        "-Wdefault::pytest.PytestWarning",
    )
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        [
            f"freezebench: --freeze-save: saved the adapters of lora(targets=all), seed 42, to {folder}; peft.Peft*",
        ]
    )
    files = {path.name for path in folder.iterdir()}
    assert files >= {
        "adapter_config.json",
        "adapter_model.safetensors",
        "tokenizer.json",
        "README.md",
        "freezebench.json",
    }
    assert "model.safetensors" not in files
    experiment = json.loads((report / "report.json").read_text())["experiments"][0]
    row = next(row for row in experiment["configurations"] if row["freeze"] != "none")
    code = re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text(), flags=re.DOTALL)[0]
    monkeypatch.chdir(folder)
    names: dict[str, Any] = {}
    exec(code, names)  # noqa: S102 - the code that users copy
    texts = [text for text, _ in sentences(40, 2, 2)]
    with torch.inference_mode():
        scores = names["model"](**names["tokenizer"](texts, truncation=True, padding=True, return_tensors="pt")).logits
    assert scores.argmax(dim=-1).tolist() == row["runs"][0]["test"]["predictions"]
