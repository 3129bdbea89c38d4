"""Verdicts: pure functions on arrays and records that say what the evidence decides."""
