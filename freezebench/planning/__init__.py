"""Which runs are needed next: pure functions of settings and records."""
