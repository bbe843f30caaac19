"""Where a run is shown besides its own report: MLflow, TensorBoard. They read what a run writes, and nothing waits."""
