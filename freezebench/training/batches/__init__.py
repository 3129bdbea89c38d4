"""Batches: tokenized splits, their order, padding and loading."""
