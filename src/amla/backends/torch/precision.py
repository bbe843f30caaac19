"""In what precision a device computes."""

from contextlib import AbstractContextManager, nullcontext

import torch

from amla.tasks.recipe import Recipe


def faster(recipe: Recipe, device: torch.device) -> AbstractContextManager[object]:
    """Return within what to compute: bfloat16 where the recipe leaves it open and the device is faster so."""
    half = recipe.precision == "auto" and device.type == "cuda" and torch.cuda.is_bf16_supported()
    return torch.autocast(device.type, torch.bfloat16) if half else nullcontext()
