"""What networks cost, by the names of metrics: what that is called, and how much it is, with its unit."""

from amla.reports.numbers import count, milliseconds

LATENCY = "latency"  # in seconds, where it is measured
ON_DEVICE = "latency."  # and a device: in milliseconds, as a table says
_TITLES = {"parameters": "Parameters", "macs": "MACs", "peak_memory": "Peak memory, bytes", LATENCY: "Latency"}
_UNITS = {"parameters": "parameters", "macs": "MACs", "peak_memory": "bytes of activations"}
COSTS = tuple(_TITLES)


def is_shown(cost: str) -> bool:
    """Whether a metric is a cost that has a title here."""
    return cost in COSTS or cost.startswith(ON_DEVICE)


def cost_title(cost: str) -> str:
    """Return what a cost is called at the head of a column."""
    if cost.startswith(ON_DEVICE):
        return f"{_TITLES[LATENCY]} on {cost.removeprefix(ON_DEVICE)}"
    return _TITLES.get(cost, cost)


def cost_name(cost: str) -> str:
    """Return what a cost is called in a sentence."""
    if cost.startswith(ON_DEVICE):
        return f"latency on {cost.removeprefix(ON_DEVICE)}"
    return cost_title(cost).lower().replace("macs", "MACs")


def cost_reading(cost: str, amount: float) -> str:
    """Return how much a cost is, under its title."""
    if cost.startswith(ON_DEVICE):
        return milliseconds(amount / 1000)
    return milliseconds(amount) if cost == LATENCY else count(amount)


def cost_words(cost: str, amount: float) -> str:
    """Return how much a cost is, where nothing says which: "93.2 k parameters", "1.5 ms"."""
    if cost.startswith(ON_DEVICE):
        return f"{cost_reading(cost, amount)} on {cost.removeprefix(ON_DEVICE)}"
    return milliseconds(amount) if cost == LATENCY else f"{count(amount)} {_UNITS.get(cost, cost)}"
