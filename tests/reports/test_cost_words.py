"""What costs are called, and how much they are."""

import pytest

from amla.reports.costs import cost_name, cost_reading, cost_title, cost_words, is_shown


@pytest.mark.parametrize(
    ("cost", "amount", "title", "name", "reading", "words"),
    [
        ("macs", 2e6, "MACs", "MACs", "2.00 M", "2.00 M MACs"),
        ("peak_memory", 2000, "Peak memory, bytes", "peak memory, bytes", "2.00 k", "2.00 k bytes of activations"),
        ("latency", 0.0015, "Latency", "latency", "1.5 ms", "1.5 ms"),
        ("latency.pixel3", 1.5, "Latency on pixel3", "latency on pixel3", "1.5 ms", "1.5 ms on pixel3"),
        ("latency.GTX-1080", 12.0, "Latency on GTX-1080", "latency on GTX-1080", "12 ms", "12 ms on GTX-1080"),
    ],
)
def test_costs_have_a_title_a_name_and_a_unit(
    cost: str, amount: float, title: str, name: str, reading: str, words: str
) -> None:
    assert is_shown(cost)
    assert (cost_title(cost), cost_name(cost)) == (title, name)
    read = cost_reading(cost, amount), cost_words(cost, amount)
    assert tuple(text.replace("\u202f", " ") for text in read) == (reading, words)


def test_other_metrics_are_no_costs_to_show() -> None:
    assert not is_shown("loss")
