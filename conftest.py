"""Root conftest: lets the tests of the plugin start pytest inside pytest."""

pytest_plugins = ["pytester"]
