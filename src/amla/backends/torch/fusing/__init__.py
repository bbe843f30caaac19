"""A network as steps: which pieces of its graph are computed in one pass, and how."""
