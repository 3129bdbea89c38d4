"""The pytest plugin: hooks, fixtures, the adapter to pytest-benchmark, and the terminal."""
