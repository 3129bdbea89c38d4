"""Runs on the nodes of a Ray cluster; nothing but ``bridge`` imports Ray, in a process of its own."""
