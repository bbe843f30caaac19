"""What can be wrong with an algorithm that runs elsewhere."""


class RemoteError(RuntimeError):
    """A generator that cannot be reached, or whose answer breaks a rule."""
