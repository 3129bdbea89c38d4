"""The cache of a frozen prefix, the splice that uses it, and the checks of both."""
