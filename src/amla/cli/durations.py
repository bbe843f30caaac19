"""Times as people write them: 90s, 10m, 2h, 1h30m."""

import re

from amla.study.study import StudyError

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_FORM = re.compile(r"(\d+(\.\d+)?[smhd])+")


def seconds(text: str) -> float:
    """Return the seconds that `text` means. Raises StudyError."""
    if not _FORM.fullmatch(text.strip().lower()):
        raise StudyError(f"{text!r} is no time; write for example 90s, 10m, 2h or 1h30m.")
    parts = re.findall(r"(\d+(?:\.\d+)?)([smhd])", text.lower())
    return sum(float(number) * _UNITS[unit] for number, unit in parts)
