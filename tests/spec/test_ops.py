import pytest

from amla.spec import ops
from amla.spec.values import SpecError


def test_a_window_says_its_strides_and_dilations():
    assert ops.Conv(4, (3, 3)) == ops.Conv(4, (3, 3), (1, 1), (1, 1))
    assert ops.Pool("max", (2,)).stride == (1,)
    assert ops.Depthwise((3, 3, 3), (2, 1, 2)).dilation == (1, 1, 1)


@pytest.mark.parametrize(
    ("make", "rule"),
    [
        (lambda: ops.Input(()), r"input.shape is \(\)"),
        (lambda: ops.Input((3, 0)), r"input.shape is \(3, 0\); it must be 1 or more"),
        (lambda: ops.Conv(4, (3, -1)), r"conv.kernel is \(3, -1\)"),
        (lambda: ops.Conv(4, ()), r"conv.kernel is \(\)"),
        (lambda: ops.Conv(4, (3, 3), (2,)), r"conv.stride is \(2,\), but the kernel \(3, 3\) has 2 axes"),
        (lambda: ops.Conv(4, (3,), (0,)), "conv.stride is 0; it must be 1 or more"),
        (lambda: ops.Conv(0, (3,)), "conv.channels is 0"),
        (lambda: ops.Conv(4, (3,), groups=3), "conv.channels is 4, which 3 groups do not divide"),
        (lambda: ops.Depthwise((3,), multiplier=0), "depthwise.multiplier is 0"),
        (lambda: ops.Depthwise((3,), dilation=(1, 1)), "depthwise.dilation is"),
        (lambda: ops.Pool("max", (0,)), "pool.kernel is 0"),
        (lambda: ops.Dense(0), "dense.units is 0"),
        (lambda: ops.Classify(-1), "classify.classes is -1"),
        (lambda: ops.Dropout(1.0), "dropout.rate is 1.0; it must be at least 0 and below 1"),
        (lambda: ops.Dropout(-0.1), "dropout.rate is -0.1"),
        (lambda: ops.DropPath(1.0), "drop_path.rate is 1.0; it must be at least 0 and below 1"),
        (lambda: ops.DropPath(float("nan")), "drop_path.rate is nan"),
        (lambda: ops.Pick(0), "pick may keep 0 to 1 inputs; say 1 <= at_least <= at_most"),
        (lambda: ops.Pick(3, 2), "pick may keep 3 to 2 inputs"),
        (lambda: ops.Pick(1, 2, fixed=2), r"pick.fixed is 2; it must be 0 to at_least \(1\)"),
        (lambda: ops.Pick(1, 2, fixed=-1), "pick.fixed is -1"),
        (lambda: ops.Pick(1, 2, "add", width=8), "pick.width is 8; it needs how='concat'"),
        (lambda: ops.Pick(1, 4, "concat", width=3), "a channel for each of 4 inputs"),
    ],
)
def test_rules_name_the_field_and_the_value(make: object, rule: str):
    with pytest.raises(SpecError, match=rule):
        make()
