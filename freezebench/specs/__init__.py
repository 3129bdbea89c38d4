"""What is asked: freeze specs, grids, run specs and presets, all plain data."""
