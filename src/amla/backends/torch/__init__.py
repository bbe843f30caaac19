"""The PyTorch backend. The one place, with export, that imports torch."""
