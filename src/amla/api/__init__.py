"""amla from Python: a search in a line, its result as an object, a scikit-learn estimator, notebooks."""
