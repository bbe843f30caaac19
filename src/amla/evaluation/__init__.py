"""From a trial to its measurement."""
