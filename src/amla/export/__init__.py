"""A network leaves: as plain PyTorch source, as ONNX, as a program of PyTorch, and as a model card."""
