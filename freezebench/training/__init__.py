"""How a task is trained: batches, precision, the step, evaluation."""
