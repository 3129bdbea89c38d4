"""Options, their parsers, and settings: what was requested, resolved once."""
