"""The networks of 2018: their files, and how its programs built them."""
