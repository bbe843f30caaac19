"""Whether a study finds the same however often it is killed, cut off, starved or damaged: tried, not believed."""
