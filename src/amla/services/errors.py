"""What can be wrong with a service, or with a call to one."""


class ServiceError(RuntimeError):
    """A service that cannot be started, reached, or used as it was meant; the message says what to do."""
