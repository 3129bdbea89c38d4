"""CUDA graphs: the phases of a training step captured once and replayed."""
