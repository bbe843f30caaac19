"""What a network is: the open model specification, independent of any machine-learning library."""
