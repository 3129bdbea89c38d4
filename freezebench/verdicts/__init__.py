"""Verdicts: pure functions on arrays and records that return what the evidence decides."""
