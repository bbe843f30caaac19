"""Texts that were written to do harm. Run as a program, it reads them all and prints what that took, as JSON lines.

Every text is refused; none may take long, or much memory, or raise anything but SpecError and StudyError.
"""

import json
import sys
from collections.abc import Callable
from itertools import pairwise
from typing import Any

INPUT = {"id": "x", "op": {"kind": "input", "shape": [3, 8, 8]}}
STUDY = "{name: x, data: {source: digits}, limit: {seconds: 60}, %s}"
BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [{', '.join([f'*{chr(97 + i)}'] * 10)}]\n" for i in range(9)
)
MERGES = "a: &a {k: 1}\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} {{<<: [{', '.join([f'*{chr(97 + i)}'] * 10)}]}}\n" for i in range(9)
)


def network(*nodes: object) -> str:
    return json.dumps({"nodes": [INPUT, *nodes]})


def node(name: str, kind: str, *inputs: str, **fields: Any) -> dict[str, Any]:
    return {"id": name, "op": {"kind": kind, **fields}, "inputs": list(inputs)}


def one(kind: str, **fields: Any) -> str:
    return network(node("n", kind, "x", **fields))


def chain(length: int, first: str) -> list[dict[str, Any]]:
    return [node(f"n{i}", "identity", f"n{i - 1}" if i else first) for i in range(length)]


def doubling(length: int) -> str:
    named = ["x", *(f"n{i}" for i in range(length))]
    return network(*(node(b, "merge", a, a, how="concat") for a, b in pairwise(named)))


JSON: dict[str, Callable[[], str]] = {
    "a cycle of thousands": lambda: network(*chain(5000, "n4999")),
    "thousands in the wrong order": lambda: network(*reversed(chain(5000, "x"))),
    "channels that double": lambda: doubling(5000),
    "thousands of inputs too many": lambda: network(node("n", "identity", *["x"] * 300_000)),
    "inputs that do not fit": lambda: network(node("g", "global_pool", "x"), node("n", "merge", *["x"] * 300_000, "g")),
    "billions of channels": lambda: one("conv", channels=4 * 10**9, kernel=[3, 3]),
    "channels of thousands of digits": lambda: one("conv", channels=10**4000, kernel=[3, 3]),
    "as many below zero": lambda: one("conv", channels=-(10**4000), kernel=[3, 3]),
    "more digits than are read": lambda: network(INPUT).replace("3", "9" * 100_000, 1),
    "thousands of axes": lambda: json.dumps({"nodes": [node("x", "input", shape=[2**31 - 1] * 100_000)]}),
    "a shape of texts": lambda: json.dumps({"nodes": [node("x", "input", shape=["1"] * 300_000)]}),
    "no epsilon": lambda: one("batch_norm", epsilon=float("nan")),
    "an endless scale": lambda: one("scale", initial=float("inf")),
    "a negative radius": lambda: one("response_norm", radius=-(10**3000)),
    "a pick of everything": lambda: one("pick", at_most=10**4000),
    "a million mistakes": lambda: '{"nodes": [' + ", ".join(["1"] * 1_000_000) + "]}",
    "thousands of keys": lambda: '{"nodes": [], ' + ", ".join(f'"k{i}": 1' for i in range(200_000)) + "}",
    "one key twice": lambda: '{"nodes": [], "nodes": []}',
    "one id twice": lambda: network(INPUT),
    "lists in lists": lambda: "[" * 1_000_000,
    "objects in objects": lambda: '{"nodes": ' * 200_000,
    "half a character": lambda: '{"nodes": [{"id": "\\ud800", "op": {"kind": "identity"}}]}',
    "an id of a megabyte": lambda: network(node("a" * 1_000_000, "identity", "x")),
    "an id that leads away": lambda: network(node("../../etc/passwd", "identity", "x")),
    "an id in another script": lambda: network(node("слой\u202e", "identity", "x")),
    "far too long": lambda: " " * 20_000_000,
    "a byte-order mark": lambda: "\ufeff{}",
}
YAML: dict[str, Callable[[], str]] = {
    "a bomb of references": lambda: BOMB,
    "a bomb of merges": lambda: MERGES,
    "long texts by reference": lambda: "a: &a '" + "x" * 50_000 + "'\nb: [" + ", ".join(["*a"] * 20_000) + "]",
    "what contains itself": lambda: "name: &a [*a]",
    "lists in lists": lambda: "[" * 200_000,
    "lists in lists, in lines": lambda: "- " * 100_000,
    "mappings in mappings": lambda: "\n".join(" " * i + "a:" for i in range(700)),
    "a long list": lambda: "a: [" + "1, " * 300_000 + "]",
    "thousands of digits": lambda: "name: " + "9" * 5000,
    "thousands of digits to the base of 60": lambda: "version: 1" + ":30" * 50_000,
    "no date": lambda: "name: 2020-99-99",
    "no truth": lambda: "name: !!bool maybe",
    "no time": lambda: "name: !!timestamp soon",
    "no number": lambda: "name: !!int three",
    "no bytes": lambda: "name: !!binary é",
    "a program": lambda: "name: !!python/object/apply:os.system [echo]",
    "a control character": lambda: "name: \x00",
    "half a character": lambda: 'name: "\\ud800"',
    "keys that are none": lambda: "1: 2\n[a]: 3\n",
    "a key twice": lambda: "name: x\nname: y\n",
}
STUDIES = {
    **YAML,
    **{
        f"{address}: {said[:30]}": lambda said=said, address=address: STUDY % f"{address}: {said}"
        for address, said in {
            "seed": str(10**400),
            "trial_seconds": ".nan",
            "limit ": "{seconds: .inf}",
            "algorithm": "{kind: nac, windows: 1000000000, candidates: 1000000000}",
            "space": "{width: 1000000000000}",
            "space ": "{dropout: .nan}",
            "recipe": "{weight_decay: .nan}",
            "trackers": "[1, 2, 3]",
            "run_off": "{networks: 10000000000}",
        }.items()
    },
    **{
        f"the name {name[:20]!r}": lambda name=name: STUDY.replace("x", json.dumps(name), 1) % "seed: 1"
        for name in ("", ".", "..", "../../../tmp/evil", "a/b", "a\\b", "a\nb", "\u202eevil", "a" * 10_000, ".hidden")
    },
}


def main() -> None:
    import time

    from amla.spec.costs import costs
    from amla.spec.text import from_json, from_yaml
    from amla.spec.values import SpecError
    from amla.study import study

    readers: dict[str, tuple[dict[str, Callable[[], str]], Callable[[str], Any]]] = {
        "JSON": (JSON, lambda text: costs(from_json(text))),
        "YAML": (YAML, from_yaml),
        "study": (STUDIES, study.from_yaml),
    }
    for kind, (texts, read) in readers.items():
        for name, make in texts.items():
            text, began, said = make(), time.process_time(), ""
            try:
                read(text)
            except (SpecError, study.StudyError) as error:
                said = str(error)
            except Exception as error:
                said = f"CRASH {type(error).__name__}: {error}"[:200]
            peak = peak_megabytes() - len(text) / 2**20
            sys.stdout.write(json.dumps([f"{kind}: {name}", said, time.process_time() - began, peak]) + "\n")


def peak_megabytes() -> float:
    """Return the most memory that this process had; what `getrusage` says begins with that of the parent on Linux."""
    try:
        with open("/proc/self/status") as lines:
            return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))
    except OSError:
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    sys.path[:0] = sys.argv[1:]
    main()
