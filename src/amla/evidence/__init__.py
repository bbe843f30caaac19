"""What numbers of several runs say: when a difference is real, how sure it is, and how many runs would tell."""
