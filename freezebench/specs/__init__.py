"""Requested experiments as plain data: freeze specs, grids, run specs and presets."""
