"""amla finds good, small neural networks for your data, and compares the ways of finding them fairly."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from amla.services.client import Client

__version__ = "0.1.0"
__all__ = ["Client", "__version__"]


def __getattr__(name: str) -> Any:
    """Return `Client`, the client of a scheduler, whose libraries take time to load and may not be installed."""
    if name != "Client":
        raise AttributeError(f"amla has no {name!r}")
    try:
        from amla.services.client import Client
    except ModuleNotFoundError as error:
        raise ImportError(f"amla.Client needs {error.name!r}; install it with: pip install 'amla[serve]'.") from None
    return Client
