"""Times as people write them: 90s, 10m, 2h, 1h30m."""

import re

from amla.study.study import StudyError

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
MOST = 10 * 365 * 86400  # seconds; a longer time is a slip
_FORM = re.compile(r"(\d+(\.\d+)?[smhd])+")


def seconds(text: str) -> float:
    """Return the seconds that `text` means. Raises StudyError."""
    if not _FORM.fullmatch(text.strip().lower()):
        raise StudyError(f"{text!r} is no time; write for example 90s, 10m, 2h or 1h30m.")
    parts = re.findall(r"(\d+(?:\.\d+)?)([smhd])", text.lower())
    total = sum(float(number) * _UNITS[unit] for number, unit in parts)
    if not 0 < total <= MOST:
        raise StudyError(f"{text!r} is no time to spend; it must be more than 0 and less than ten years.")
    return total
