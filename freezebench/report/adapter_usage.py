"""How to use saved adapters, for the model card: load them onto the pretrained model, and merge them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezebench.escaping import visible
from freezebench.records.data_facts import task_of_data
from freezebench.report.task_usage import USAGE

if TYPE_CHECKING:
    from freezebench.report.saved_model import SavedModel


def adapter_usage(saved: SavedModel) -> str:
    """Return the section: the code that loads adapters and head, what merging does, and how to add such adapters."""
    spec, data = saved.record.spec, saved.record.data
    num_labels = len(data.label_names) if data is not None else 2
    usage = USAGE[task_of_data(data)]
    if saved.has_base_name:
        revision = ", revision=config.revision" if spec.model_revision is not None else ""
        imports = f"""from peft import PeftConfig, PeftModel
from transformers import {usage.auto_class}, AutoTokenizer"""
        load = f"""config = PeftConfig.from_pretrained(folder)
base = {usage.auto_class}.from_pretrained(
    config.base_model_name_or_path, num_labels={num_labels}{usage.head_arguments}{revision}
)"""
    else:  # transformers cannot load it by a name
        imports = "import freezebench\nfrom peft import PeftModel\nfrom transformers import AutoTokenizer"
        task = "" if data is None or data.task == "sequence-classification" else f', task="{data.task}"'
        load = f"base, _ = freezebench.load_model({visible(repr(spec.model))}, num_labels={num_labels}{task})"
    return f"""The folder has adapters and the head in the format of PEFT, not the pretrained model.

```python
{imports}

folder = "."  # the folder of this file
{load}
model = PeftModel.from_pretrained(base, folder)
model = model.merge_and_unload()  # an ordinary model; without this line, adapters stay beside the weights
tokenizer = AutoTokenizer.from_pretrained(folder)
{usage.batch_code(spec.data.text_columns)}
{usage.adapter_code}
```

Merged or not, it computes the same up to rounding. Merged, it has the size and the speed of the pretrained model.

To add such adapters to another model of this architecture, which has to train then:

```python
import freezebench

freezebench.freeze(base, "{spec.freeze}")
```"""
