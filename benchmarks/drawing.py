"""How long does it take to draw a network?

Prints one JSON object on its last line: `milliseconds`, the median of drawing an EnvelopeNet of `nodes` nodes as SVG.

    python benchmarks/drawing.py [--quick]
"""

import argparse
import json
from statistics import median
from time import process_time

from amla.reports.draw import draw
from amla.spaces.envelope import envelope


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="11 drawings instead of 101")
    options = parser.parse_args()
    space = envelope((3, 32, 32), 10, cells=(5, 5), max_cells=(5, 5))
    network = space.space.close(space.initial())
    times = []
    for _ in range(11 if options.quick else 101):
        began = process_time()
        draw(network)
        times.append(process_time() - began)
    print(json.dumps({"milliseconds": round(1000 * median(times), 2), "nodes": len(network), "n": len(times)}))


if __name__ == "__main__":
    main()
