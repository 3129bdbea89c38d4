"""Experiments for other programs: MLflow, Weights & Biases and TensorBoard, each through its own client."""
