"""One run from specification to record: train it, measure it, reuse a finished one, record one that broke."""
