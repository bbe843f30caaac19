"""amla finds good, small neural networks for your data, and compares the ways of finding them fairly."""

import sys

TYPE_CHECKING = False  # type checkers take a variable of this name for true; `typing` takes a while to load
if TYPE_CHECKING:
    from amla.api.classifier import AmlaClassifier
    from amla.api.regressor import AmlaRegressor
    from amla.api.search import load, search
    from amla.services.client import Client

__version__ = "0.1.0"
__all__ = ["AmlaClassifier", "AmlaRegressor", "Client", "__version__", "load", "search"]

_LAZY = {  # what takes time to load, or needs what may not be installed: its module, and the extra that brings that
    "search": ("amla.api.search", "torch"),
    "load": ("amla.api.search", "torch"),
    "AmlaClassifier": ("amla.api.classifier", "sklearn"),
    "AmlaRegressor": ("amla.api.regressor", "sklearn"),
    "Client": ("amla.services.client", "serve"),
}


def __getattr__(name: str) -> object:
    """Return what is loaded when it is first asked for."""
    if name not in _LAZY:
        raise AttributeError(f"amla has no {name!r}")
    from importlib import import_module

    module, extra = _LAZY[name]
    try:
        return getattr(import_module(module), name)
    except ModuleNotFoundError as error:
        raise ImportError(f"amla.{name} needs {error.name!r}; install it with: pip install 'amla[{extra}]'.") from None


def __dir__() -> list[str]:
    """Return what completion offers."""
    return sorted({*globals(), *__all__})


if "IPython" in sys.modules:  # a notebook
    from amla.api.notebook import attach

    attach()
