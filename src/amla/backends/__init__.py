"""How a machine-learning library builds, trains, scores and saves a network."""
