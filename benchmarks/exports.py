"""Do exported networks say what the trained ones say? Random networks of every space, in every form.

Networks are drawn from each space, with weights among which none is what a module begins with, and are written as plain
PyTorch source, as an ONNX file and as a program of torch.export. Each answers random inputs; what it says is compared
with what the network says that amla trains.

Prints one JSON object on its last line: for each space and form the largest difference of a logit, as a share of the
largest logit of that network where this is above 1 (`envelope_onnx`); `most`, the largest of all; `networks`. Before
it, a line for each space.

    python benchmarks/exports.py [--quick] [--networks 50] [--spaces NAME ...]
"""

import argparse
import json
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from numpy.typing import NDArray
from within import CLASSES, SPACES, found

from amla.backends.initial import initial
from amla.backends.torch.network import Network, write_arrays
from amla.export import onnx
from amla.export.module import example, module, save_program
from amla.export.source import Facts
from amla.spec.architecture import Architecture
from amla.spec.constraints import Constraints

EXAMPLES = 3
FORMS = ("source", "onnx", "program")


def weights(architecture: Architecture, rng: np.random.Generator) -> dict[str, NDArray[np.float32]]:
    """Return weights of a network, none as it begins; variances stay above 0."""
    given = initial(architecture, int(rng.integers(2**31)))
    return {name: np.asarray(array + rng.uniform(0.05, 0.2, array.shape), np.float32) for name, array in given.items()}


def apart(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Return the largest difference, as a share of the largest number of the first where this is above 1."""
    return float(np.abs(one - other).max() / max(1.0, np.abs(one).max()))


def differences(architecture: Architecture, rng: np.random.Generator, folder: Path) -> dict[str, float]:
    """Return how far what each form says is from what the network says."""
    given, x = weights(architecture, rng), example(architecture, EXAMPLES)
    channels = x.shape[1]
    facts = Facts("random", tuple(map(str, range(CLASSES))), (0.0,) * channels, (1.0,) * channels)
    network = Network(architecture).eval()
    write_arrays(network.tensors(), given)
    plain = module(architecture, given, facts).eval()
    onnx.export(plain, x, folder / "network.onnx")
    save_program(plain, x, folder / "network.pt2")
    program = torch.export.load(folder / "network.pt2").module()
    with torch.no_grad():
        said = network(x).numpy()
        answers = {
            "source": plain(x).numpy(),
            "onnx": onnx.logits(onnx.opened(folder / "network.onnx"), x.numpy()),
            "program": program(x).numpy(),
        }
    return {form: apart(said, answers[form]) for form in FORMS}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one network of each space")
    parser.add_argument("--networks", type=int, default=50)
    parser.add_argument("--spaces", nargs="+", choices=SPACES, default=list(SPACES))
    options = parser.parse_args()
    count = 1 if options.quick else options.networks
    torch.set_num_threads(1)
    figures: dict[str, float] = {}
    with TemporaryDirectory() as passing:
        for name in options.spaces:
            space, rng = found(name, Constraints()).space, np.random.default_rng(0)
            each = [differences(space.sample(rng), rng, Path(passing)) for _ in range(count)]
            most = {form: max(one[form] for one in each) for form in FORMS}
            print(f"{name}: {', '.join(f'{form} {figure:.1e}' for form, figure in most.items())}", flush=True)
            figures |= {f"{name}_{form}": figure for form, figure in most.items()}
    most_of_all = max(figures.values())
    print(
        json.dumps(
            {name: float(f"{of:.2e}") for name, of in figures.items()} | {"most": most_of_all, "networks": count}
        )
    )


if __name__ == "__main__":
    main()
