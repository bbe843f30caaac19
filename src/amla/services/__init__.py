"""Services: the scheduler, the generator and the worker behind HTTP, and the client that drives them."""
