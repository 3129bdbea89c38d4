"""Reading, checking and splitting text data."""
