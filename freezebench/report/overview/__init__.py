"""Several experiments at a glance: a row for each, a matrix, a joint Pareto front, and one sentence."""
