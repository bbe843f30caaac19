"""Kernels in C for what PyTorch does slowly on a CPU; compiled on first use, and done without where that fails."""
