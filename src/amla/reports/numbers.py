"""Numbers for people: counts, shares, durations and sizes in few digits, with a narrow space before the unit."""

from math import isfinite, isnan

SPACE = "\u202f"  # narrow, and never broken over two lines
MINUS, DASH = "\u2212", "\u2013"


def count(number: float) -> str:
    """Return a count in three digits: "93.2 k", "38.1 M", "512"."""
    for power, unit in ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(number) >= power * 0.9995:
            return f"{_three(number / power)}{SPACE}{unit}"
    return f"{number:.0f}"


def whole(number: int) -> str:
    """Return a whole number with its thousands set apart: "10 000"."""
    return f"{number:,}".replace(",", SPACE)


def plural(number: int, noun: str) -> str:
    """Return a number of things: "1 construction", "6 constructions"."""
    return f"{whole(number)} {noun}{'' if number == 1 else 's'}"


def percent(share: float, digits: int = 1) -> str:
    """Return a share of 1 in percent: "98.3 %"; a dash if it is no number."""
    return f"{share * 100:.{digits}f}{SPACE}%" if isfinite(share) else DASH


def interval(low: float, high: float, digits: int = 1) -> str:
    """Return an interval of shares in percent: "98.0–98.5 %"."""
    return f"{low * 100:.{digits}f}{DASH}{high * 100:.{digits}f}{SPACE}%"


def duration(seconds: float) -> str:
    """Return a time in the two units that matter: "4.2 s", "3 min 20 s", "2 h 5 min", "3 d 4 h"."""
    if seconds < 9.95:
        return f"{seconds:.1f}{SPACE}s"
    units = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
    place = next(place for place, (length, _) in enumerate(units) if round(seconds) >= length)
    if place == len(units) - 1:
        return f"{seconds:.0f}{SPACE}s"
    (big, name), (small, lesser) = units[place : place + 2]
    many, rest = divmod(round(seconds / small) * small, big)
    return f"{many}{SPACE}{name}" + (f" {rest // small}{SPACE}{lesser}" if rest else "")


def milliseconds(seconds: float) -> str:
    """Return a short time in three digits: "1.53 ms"."""
    return f"{1000 * seconds:.3g}{SPACE}ms"


def size(length: float) -> str:
    """Return a number of bytes: "384 KiB"."""
    for power, unit in ((30, "GiB"), (20, "MiB"), (10, "KiB")):
        if length >= 2**power:
            return f"{_three(length / 2**power)}{SPACE}{unit}"
    return f"{length:.0f}{SPACE}B"


def reading(number: float) -> str:
    """Return a statistic in three digits, as short as it gets: "0.412", "25.1", "1.2e−4"."""
    if not isfinite(number):
        return DASH if isnan(number) else "∞" if number > 0 else f"{MINUS}∞"
    if number == 0:
        return "0"
    if not 1e-3 <= abs(number) < 1e5:
        mantissa, exponent = f"{number:.1e}".split("e")
        return f"{mantissa}e{int(exponent)}".replace("-", MINUS)
    return _three(number).replace("-", MINUS)


def metric_reading(metric: str, value: float, digits: int = 1) -> str:
    """Return a metric: an accuracy in percent with so many `digits`, any other in three digits."""
    return percent(value, digits) if is_share(metric) else reading(value)


def metric_interval(metric: str, bounds: tuple[float, float]) -> str:
    """Return an interval of a metric: that of an accuracy in percent, of any other in three digits."""
    return interval(*bounds) if is_share(metric) else f"{reading(bounds[0])}{DASH}{reading(bounds[1])}"


def is_share(metric: str) -> bool:
    """Return whether a metric is a share of 1, going by its name."""
    return "accuracy" in metric


def extent(shape: tuple[int, ...]) -> str:
    """Return a shape, channels first: "32 × 16×16"."""
    return f"{shape[0]}\u00a0×\u00a0{'×'.join(map(str, shape[1:]))}" if shape[1:] else str(shape[0])


def _three(number: float) -> str:
    size = abs(number)
    return f"{number:.{0 if size >= 99.95 else 1 if size >= 9.995 else 2 if size >= 0.9995 else 3}f}"
