"""One-shot methods: an open architecture in training, as a mixture of its closings or one path a step."""
