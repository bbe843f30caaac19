"""One module per kind of source; `recognise` picks the one that fits."""
