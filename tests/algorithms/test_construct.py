from collections import Counter
from math import sqrt

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from amla.algorithms.construct import ConstructionError, Rules, construct, constructed, drawn, initial
from amla.spec.macro import Layer, Macro

CELL = (("1x1", "1x1"), ("3x3", "3x3"), ("5x5", "5x5"))


def rules(**changes: object) -> Rules:
    given = {
        "layers": (2, 1),
        "max_layers": (3, 3),
        "construction": (True, True),
        "limits": (False, False),
        "width": 12,
    }
    return Rules(cell=CELL, **{**given, **changes})


def worth(macro: Macro, rng: np.random.Generator | None = None) -> dict[tuple[int, str], float]:
    """Return a statistic for every branch, in their order: equal, or drawn."""
    keys = [(i, name) for i, item in enumerate(macro.items) if isinstance(item, Layer) for name, _ in item.filters]
    return {key: 1.0 if rng is None else float(rng.normal()) for key in keys}


def scales(macro: Macro, rng: np.random.Generator) -> dict[tuple[int, int], float]:
    return {
        (source, i + 1): float(rng.normal())
        for i, item in enumerate(macro.items)
        if isinstance(item, Layer)
        for source in macro.sources(i) or ()
    }


def skips(macro: Macro) -> list[tuple[int, ...] | None]:
    return [macro.sources(i) for i, item in enumerate(macro.items) if isinstance(item, Layer)]


def test_one_branch_leaves_even_under_a_quota_of_none():
    for quota in (0, 1):
        first = initial(rules(quota=quota))
        after = construct(first, worth(first), {}, rules(quota=quota))
        assert [sum(len(layer.filters) for layer in stage) for stage in after.stages] == [6 - 1 + 3, 3 - 1 + 3]


def test_a_stage_ends_with_one_layer_more_than_its_most():
    ours = rules(layers=(2, 2), max_layers=(3, 2))
    assert [layers for layers, _ in constructed(ours, 5)] == [4, 3]


def test_a_stage_that_is_not_constructed_keeps_its_branches():
    ours = rules(construction=(True, False))
    assert constructed(ours, 2)[1] == (1, 3)


def test_sizes_are_those_that_the_comparison_of_2018_gave_its_random_networks():
    ours = Rules(
        cell=tuple((name, name) for name in ("1x1", "3x3", "3x3sep", "5x5", "5x5sep", "7x7sep")),
        layers=(10, 1, 1, 1),
        max_layers=(15, 5, 3, 3),
        construction=(True,) * 4,
        limits=(False,) * 4,
        width=128,
        skip=False,
    )
    assert constructed(ours, 5) == ((15, 60), (6, 17), (4, 15), (4, 15))


@pytest.mark.parametrize("length", [3, 4, 5, 10])
def test_a_limited_stage_costs_one_layer(length: int):
    """2 W w + (L - 2) w^2 is no more than W^2, and one channel more would be."""
    wide = 4096
    first = initial(rules(layers=(length, 1), limits=(True, False), width=wide))
    *narrow, last = (layer.outputs for layer in first.stages[0])
    (each,) = set(narrow)
    assert last == wide
    assert 2 * wide * each + (length - 2) * each**2 <= wide**2 < 2 * wide * (each + 1) + (length - 2) * (each + 1) ** 2
    assert each == int(wide / (1 + sqrt(length - 1)))


@pytest.mark.parametrize(("layers", "stage"), [((2, 1), 0), ((1, 2), 1)])
def test_two_limited_layers_are_a_clear_error(layers: tuple[int, int], stage: int):
    with pytest.raises(ConstructionError, match=f"stage {stage} has 2 layers under a parameter limit"):
        initial(rules(layers=layers, limits=(True, True)))


def test_a_branch_that_was_not_measured_neither_leaves_nor_protects():
    ours = rules(layers=(2,), max_layers=(3,), construction=(True,), limits=(False,), quota=6)
    first = initial(ours)
    log = {(0, "1x1"): 0.1, (1, "1x1"): 0.2, (1, "3x3"): 0.3}
    after = construct(first, log, {}, ours)
    assert [[name for name, _ in layer.filters] for layer in after.stages[0]] == [
        ["1x1", "3x3", "5x5"],
        ["3x3", "5x5"],
        ["1x1", "3x3", "5x5"],
    ]


def test_statistics_of_what_is_not_in_the_network_are_passed_over():
    ours = rules()
    first = initial(ours)
    strange = {(0, "9x9"): -1.0, (99, "1x1"): -1.0, (2, "1x1"): -1.0}
    assert construct(first, strange | worth(first), {}, ours) == construct(first, worth(first), {}, ours)


def test_the_stronger_half_of_skips_stays_by_its_sign():
    ours = rules(layers=(5,), max_layers=(5,), construction=(False,), limits=(False,))
    first = initial(ours)
    assert skips(first) == [(), (), (1,), (2, 1), (3, 2, 1)]
    log = {(1, 3): -9.0, (2, 4): 0.1, (1, 4): -5.0, (3, 5): 0.2, (2, 5): -7.0, (1, 5): 0.3}
    assert skips(construct(first, {}, log, ours)) == [(), (), (1,), (2,), (1, 3)]


def test_of_equal_skips_the_later_in_the_log_is_the_stronger():
    ours = rules(layers=(4,), max_layers=(5,), construction=(False,), limits=(False,))
    first = initial(ours)
    assert skips(construct(first, {}, {(2, 4): 0.5, (1, 4): 0.5}, ours))[3] == (1,)
    assert skips(construct(first, {}, {(1, 4): 0.5, (2, 4): 0.5}, ours))[3] == (2,)


def test_skips_follow_their_cells_and_new_layers_of_earlier_stages_are_read():
    ours = rules(layers=(2, 2))
    first = initial(ours)  # cells 1, 2; 3 is the widener; 4, 5
    log = {(2, 4): 0.5, (1, 4): 0.4, (3, 5): 0.1, (2, 5): 0.2, (1, 5): 0.9}
    after = construct(first, worth(first), log, ours)  # cells 1, 2, new 3; widener 4; 5, 6, new 7
    assert skips(after) == [(), (), (1,), (2, 3), (1, 2, 3), (5, 4, 3, 2, 1)]


def test_the_first_layer_has_no_skips_whatever_the_log_says():
    first = initial(rules())
    assert skips(construct(first, worth(first), {(0, 1): 0.5}, rules()))[0] == ()


def test_without_skips_there_are_none():
    ours = rules(skip=False)
    first = initial(ours)
    assert set(skips(first)) == set(skips(construct(first, worth(first), {}, ours))) == {None}


@given(seed=st.integers(0, 2**32 - 1))
def test_random_networks_have_the_sizes_asked_for(seed: int):
    ours, sizes = rules(), ((3, 7), (2, 2))
    macro = drawn(ours, sizes, np.random.default_rng(seed))
    found = tuple((len(stage), sum(len(layer.filters) for layer in stage)) for stage in macro.stages)
    assert found == sizes
    assert all(op in dict(CELL) for stage in macro.stages for layer in stage for _, op in layer.filters)


def test_random_networks_come_to_every_op_and_layer():
    ours, rng = rules(), np.random.default_rng(0)
    many = [drawn(ours, ((2, 4), (1, 1)), rng) for _ in range(300)]
    ops = Counter(op for macro in many for layer in macro.stages[0] for _, op in layer.filters)
    assert min(ops[op] for op, _ in CELL) > 300
    assert {len(macro.stages[0][0].filters) for macro in many} == {1, 2, 3}


def test_rules_say_one_number_for_each_stage():
    with pytest.raises(ConstructionError, match=r"construction is \[True\], but there are 2 stages"):
        rules(construction=(True,))
    with pytest.raises(ConstructionError, match=r"layers are \[0, 1\]"):
        rules(layers=(0, 1))


@given(
    layers=st.lists(st.integers(1, 4), min_size=1, max_size=3),
    grow=st.integers(0, 7),
    limit=st.booleans(),
    quota=st.integers(0, 8),
    worst=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_constructions_keep_their_rules(
    layers: list[int], grow: int, limit: bool, quota: int, worst: bool, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    flags = tuple(bool(grow >> stage & 1) for stage in range(len(layers)))
    ours = rules(
        layers=tuple(layers),
        max_layers=(3,) * len(layers),
        construction=flags,
        limits=(limit,) * len(layers),
        quota=quota,
        worst_case=worst,
    )
    try:
        macro = initial(ours)
        for _ in range(3):
            log, before = worth(macro, rng), macro
            macro = construct(before, log, scales(before, rng), ours)
            _check(before, macro, log, ours)
    except ConstructionError:
        assume(False)


def _check(before: Macro, after: Macro, log: dict[tuple[int, str], float], ours: Rules) -> None:
    item = 0
    for number, (old, new) in enumerate(zip(before.stages, after.stages, strict=True)):
        left = {(item + i, n) for i, layer in enumerate(new[: len(old)]) for n, _ in layer.filters}
        all_of = [(item + i, name) for i, layer in enumerate(old) for name, _ in layer.filters]
        gone = [key for key in all_of if key not in left]
        assert all(layer.filters for layer in new)
        if ours.may_grow(number, old):
            assert len(new) == len(old) + 1
            assert 1 <= len(gone) <= max(1, min(ours.quota, len(all_of) // 3))
            sign = -1 if ours.worst_case else 1
            for key in gone:  # whatever was worth less stayed only as the last of its layer
                weaker = [one for one in all_of if one in left and sign * log[one] < sign * log[key]]
                assert all(sum(k[0] == one[0] for k in left) == 1 for one in weaker)
        else:
            assert len(new) == len(old)
            assert not gone
        item += len(old) + 1
    for place, _ in enumerate(after.items):
        sources = after.sources(place) or ()
        assert len(set(sources)) == len(sources)
        assert all(source < place for source in sources)
