"""Scoring: how well outputs fit labels, by any metric, and what each example contributes to it."""
