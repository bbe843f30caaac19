"""What goes wrong with a space."""


class SpaceError(ValueError):
    """A space that cannot do what was asked of it."""
