"""amla from Python: a search in a line, its result as an object, estimators for scikit-learn, notebooks."""
