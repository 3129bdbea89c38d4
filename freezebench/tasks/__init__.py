"""What is trained on what: models, their layer stack, and text data."""
