"""What a network is to learn: datasets, and the tasks made of them."""
