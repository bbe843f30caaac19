"""The networks of a search as a table in the terminal: what tells them apart in their space, and how they did."""

from collections import Counter
from collections.abc import Mapping, Sequence

from rich.table import Table

from amla.reports.growth import Construction
from amla.reports.names import metric_name
from amla.reports.numbers import count, metric_reading
from amla.study.choices import Operations
from amla.trials.trial import TrialId

Column = tuple[str, list[str]]  # its head, and the text of each row

NONE: dict[TrialId, Operations] = {}


def table(
    rows: Sequence[Construction],
    best: int | None,
    width: int,
    metric: str = "accuracy",
    operations: Mapping[TrialId, Operations] = NONE,
) -> Table:
    """Return the networks as a table that fits `width`; the best by validation is marked.

    Cells, branches and skips are shown where there are any, and else how deep networks are. What `operations` each
    network has is shown where that fits: each by its place, or else how often each kind is there.
    """
    columns = [("", [str(row.trial) for row in rows]), *_structure(rows), *_costs(rows), *_scores(rows, metric)]
    for chosen in (_placed(rows, operations), _counted(rows, operations)):
        if chosen and _width([*columns, chosen], 1) <= width:
            columns.insert(1, chosen)
            break
    gap = 2 if _width(columns, 2) <= width else 1
    shown = Table(header_style="bold", box=None, pad_edge=False, padding=(0, gap, 0, 0))
    for column in columns:
        left = column[0] == OPERATIONS
        shown.add_column(column[0], justify="left" if left else "right", min_width=_widest(column), no_wrap=left)
    for row, texts in zip(rows, zip(*(texts for _, texts in columns), strict=True), strict=True):
        style = "bold green" if row.trial == best else "red" if row.failure else None
        shown.add_row(*texts, style=style)
    return shown


OPERATIONS = "operations"


def _width(columns: Sequence[Column], gap: int) -> int:
    return sum(map(_widest, columns)) + gap * (len(columns) - 1)


def _widest(column: Column) -> int:
    return max(map(len, (column[0], *column[1])))


def _structure(rows: Sequence[Construction]) -> list[Column]:
    """Return what there is of branches, skips and cells."""
    found: list[Column] = []
    if any(row.parent is not None for row in rows):
        found.append(("pruned", [str(len(row.pruned)) if row.parent is not None else "–" for row in rows]))
    if any(row.branches for row in rows):
        found.append(("branches", [str(row.branches) for row in rows]))
    if any(row.skips for row in rows):
        found.append(("skips", [str(row.skips) for row in rows]))
    if any(row.cells for row in rows):
        found.append(("cells", ["-".join(map(str, row.cells.values())) for row in rows]))
    elif len({row.depth for row in rows}) > 1:
        found.append(("depth", [str(row.depth) for row in rows]))
    return found


def _costs(rows: Sequence[Construction]) -> list[Column]:
    return [
        ("params", [count(row.parameters or 0) for row in rows]),
        ("MACs", [count(row.macs or 0) for row in rows]),
    ]


def _scores(rows: Sequence[Construction], metric: str) -> list[Column]:
    reached = "validation" if metric == "accuracy" else metric_name(metric)
    texts = [_score(row, metric) for row in rows]
    return [(head, [text[place] for text in texts]) for place, head in enumerate((reached, "loss", "seconds"))]


def _score(row: Construction, metric: str) -> tuple[str, str, str]:
    if row.failure:
        return "failed", "", f"{row.failure.seconds:.1f}"
    if row.is_running:
        return "running", "", ""
    reached = metric_reading(metric, row.metric) if row.metric is not None else "–"
    return reached, f"{row.loss:.3f}" if row.loss is not None else "–", f"{row.seconds or 0:.1f}"


def _placed(rows: Sequence[Construction], operations: Mapping[TrialId, Operations]) -> Column | None:
    """Return the operations of each network in their order, below one another."""
    if not operations:
        return None
    places = max(map(len, operations.values()))
    wide = [max(len(each[place]) for each in operations.values() if place < len(each)) for place in range(places)]
    texts = [
        " ".join(name.ljust(width) for name, width in zip(operations.get(row.trial, ("–",)), wide, strict=False))
        for row in rows
    ]
    return OPERATIONS, [text.rstrip() for text in texts]


def _counted(rows: Sequence[Construction], operations: Mapping[TrialId, Operations]) -> Column | None:
    """Return how often each network has each operation, the most frequent ones of all networks first."""
    if not operations:
        return None
    kinds = [name for name, _ in Counter(name for each in operations.values() for name in each).most_common()]
    counted = {trial: Counter(each) for trial, each in operations.items()}
    texts = [
        " ".join(f"{has[kind]}×{kind}" for kind in kinds if has[kind]) if (has := counted.get(row.trial)) else "–"
        for row in rows
    ]
    return OPERATIONS, texts
