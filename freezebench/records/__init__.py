"""What came out: readings with provenance, run records and where they are kept."""
