"""What the outcomes mean: pure functions on arrays and records."""
