"""Short names tell operations on different inputs apart, in the words that people use."""

import pytest

from amla.reports.names import family, short
from amla.spec import ops
from amla.spec.costs import shape
from amla.spec.ops import Op, Size


@pytest.mark.parametrize(
    ("op", "sources", "name", "kind"),
    [
        (ops.Conv(64, (3, 3)), [(32, 16, 16)], "conv 3×3 32→64 @16", "convolution"),
        (ops.Conv(64, (5, 3), (2, 2), groups=4), [(32, 16, 8)], "conv 5×3/2 32→64 in 4 @16×8", "convolution"),
        (ops.Conv(8, (3,), dilation=(2,), padding="valid"), [(4, 50)], "conv 3 by 2 valid 4→8 @50", "convolution"),
        (ops.Depthwise((7, 7)), [(24, 8, 8)], "depthwise 7×7 24 @8", "depthwise"),
        (ops.Depthwise((3, 3), multiplier=2), [(24, 8, 8)], "depthwise 3×3 24→48 @8", "depthwise"),
        (ops.Pool("max", (2, 2), (2, 2)), [(24, 8, 8)], "max pool 2×2/2 24 @8", "pooling"),
        (ops.GlobalPool("mean"), [(24, 8, 8)], "global mean 24 @8", "pooling"),
        (ops.BatchNorm(), [(24, 8, 8)], "batch norm 24 @8", "normalisation"),
        (ops.Activation("relu"), [(24, 8, 8)], "relu 24 @8", "other"),
        (ops.Dropout(0.1), [(24,)], "dropout 24", "other"),
        (ops.DropPath(0.1), [(24, 8, 8)], "drop path 24 @8", "other"),
        (ops.Classify(10), [(24,)], "classify 24→10", "linear"),
        (ops.Merge("add"), [(24, 8, 8)] * 3, "sum of 3, 24 @8", "other"),
        (ops.Merge("concat"), [(4, 8, 8), (8, 8, 8)], "concat of 2, 12 @8", "other"),
    ],
)
def test_a_name_says_what_where_and_how_wide(op: Op, sources: list[Size], name: str, kind: str):
    assert short(op, sources, shape(op, *sources)) == name
    assert family(op) == kind
