"""What a run costs: memory, energy, power and time, measured or absent with a reason."""
