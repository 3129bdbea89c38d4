"""The registry of tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezebench.tasks.multi_label import MultiLabel
from freezebench.tasks.regression import Regression
from freezebench.tasks.sequence_classification import SequenceClassification
from freezebench.tasks.token_classification import TokenClassification

if TYPE_CHECKING:
    from freezebench.specs.names import TaskName
    from freezebench.tasks.base import Task

_TASKS: tuple[Task, ...] = (SequenceClassification(), Regression(), MultiLabel(), TokenClassification())
TASKS: dict[TaskName, Task] = {task.name: task for task in _TASKS}
