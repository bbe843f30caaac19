"""How to search: algorithms, each a function of the history of trials."""
