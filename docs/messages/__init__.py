"""The list of messages that freezebench can give, made from its source."""
