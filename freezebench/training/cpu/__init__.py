"""Operations that are faster on a CPU than those of PyTorch, each with a measured reason."""
