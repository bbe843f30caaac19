"""amla finds good, small neural networks for your data, and compares the ways of finding them fairly."""

TYPE_CHECKING = False  # type checkers take a variable of this name for true; `typing` takes a while to load
if TYPE_CHECKING:
    from amla.services.client import Client

__version__ = "0.1.0"
__all__ = ["Client", "__version__"]


def __getattr__(name: str) -> object:
    """Return `Client`, the client of a scheduler, whose libraries take time to load and may not be installed."""
    if name != "Client":
        raise AttributeError(f"amla has no {name!r}")
    try:
        from amla.services.client import Client
    except ModuleNotFoundError as error:
        raise ImportError(f"amla.Client needs {error.name!r}; install it with: pip install 'amla[serve]'.") from None
    return Client
