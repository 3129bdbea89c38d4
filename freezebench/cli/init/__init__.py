"""A first freeze test, keys of pytest's configuration and a workflow for a project."""
