"""Training engines: the job, the loop, the step, evaluation, and the Transformers Trainer."""
