"""One run from specification to record, and the session that owns the runs."""
