"""Comparisons: the same task, pipeline and budget for several ways of searching, and what can be said of them."""
