"""What is learned and scored: a task's loss, which rows of scores are evaluated, and predictions from them."""
