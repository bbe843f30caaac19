"""From a configuration of 2018 to a study that trains its network as nearly as amla's recipe can."""

from amla.spec.legacy.config import Config
from amla.spec.legacy.growth import Growth, Randoms
from amla.spec.legacy.notes import Note
from amla.spec.legacy.training import ENVELOPENETS, Cosines, Decay, Training
from amla.spec.ops import Size
from amla.study.study import Data, Final, FixedSettings, Study
from amla.tasks.recipe import Augment, Exponential, Recipe, Restarts, Schedule, Sgd

EXAMPLES = {"cifar10": 50_000, "imagenet": 1_281_167}  # of training, by which epochs become steps
EXTENTS = {"cifar10": 32}  # pixels of an edge, before anything is cut out
EMA = 0.9999  # of both programs: the decay a step of the weights that they scored
STEPS = 1  # of the search, which has one network to choose from


def study_of(config: Config, network: str) -> tuple[Study, tuple[Note, ...]]:
    """Return a study that trains the network in the file `network`, and notes on where its recipe is another."""
    extent, shift = pixels(config), _shift(config)
    epoch = max(1, round(EXAMPLES.get(config.dataset, EXAMPLES["cifar10"]) / config.batch))
    said = config.training
    recipe = Recipe(
        batch=config.batch,
        optimiser=Sgd(_highest(said), said.momentum, nesterov=said.momentum > 0),
        schedule=_schedule(said, epoch),
        weight_decay=2 * said.l2,  # the files' sum of squares has no half
        label_smoothing=said.smoothing,
        clip=said.clip,
        clip_each=said.clip is not None,
        ema=EMA,
        augment=Augment(flip=True, shift=shift, cutout=config.cutout),
    )
    size = None if extent == EXTENTS.get(config.dataset) else (extent, extent)
    study = Study(
        name=config.name,
        data=Data(config.dataset, size=size),
        recipe=recipe,
        algorithm=FixedSettings((network,), STEPS),
        final=Final(config.steps),
    )
    return study, _notes(config, epoch, extent, shift)


def shape_of(config: Config) -> Size:
    """Return the shape of the network's inputs: colour images of as many pixels as the program cut out."""
    extent = pixels(config)
    return (3, extent, extent)


def pixels(config: Config) -> int:
    """Return the pixels of an edge that the network sees: images were first padded where `image_size` is more."""
    return min(config.image_size, EXTENTS.get(config.dataset, config.image_size))


def _shift(config: Config) -> int:
    """Return by how many pixels the program's random window moved from the middle."""
    return abs(config.image_size - EXTENTS.get(config.dataset, config.image_size)) // 2


def _highest(said: Training) -> float:
    return said.rate.high if isinstance(said.rate, Cosines) else said.rate.initial


def _schedule(said: Training, epoch: int) -> Schedule:
    match said.rate:
        case Cosines(high=high, low=low, epochs=epochs, growth=growth):
            return Restarts(epochs * epoch, growth, low / high)
        case Decay(factor=factor, epochs=epochs):
            return Exponential(factor, epochs * epoch)


def _notes(config: Config, epoch: int, extent: int, shift: int) -> tuple[Note, ...]:
    said, data = config.training, config.dataset
    found = [
        Note(
            "training lr",
            f"an epoch is {epoch:,} steps: {EXAMPLES.get(data, 0):,} examples in batches of {config.batch}",
        )
    ]
    if said == ENVELOPENETS:
        found.append(
            Note("training", "not in the file: SGD, rate 0.1, as in the program of the EnvelopeNets repository")
        )
    if data not in EXAMPLES:
        found[0] = Note(
            "training lr", f"an epoch is taken as {epoch:,} steps; amla does not know how large {data!r} is"
        )
    if said.l2:
        says = f"weight decay {2 * said.l2:g}: twice the factor, which has no half; it spares all but kernels"
        found.append(Note("training regularization", says))
    if config.cutout:
        found.append(Note("stem cutout", "in the recipe: a square for every image, not one for all of a batch"))
    if data not in EXTENTS:
        found.append(Note("parameters.dataset", f"set data.source to a folder of {data}; amla has none by name"))
        found.append(Note("parameters.image_size", f"images are resized to {extent}, and no part of them is cut out"))
    elif config.image_size > extent:
        found.append(Note("parameters.image_size", f"images of {extent} pixels, shifted by up to {shift}"))
    elif config.image_size < EXTENTS[data]:
        says = f"images are resized to {extent} and shifted by up to {shift}; the program cut out windows of {extent}"
        found.append(Note("parameters.image_size", says))
    found += [
        Note("(program) colours", "brightness and contrast stay; inputs are normalised by channel, not by image"),
        Note("(program) evaluation", f"averaged weights, decay {EMA}; batch normalisation by running statistics"),
    ]
    if isinstance(config.body, Growth | Randoms):
        found.append(
            Note("parameters.iterations", f"the study trains one network, for the {config.steps:,} steps of one")
        )
    return tuple(found)
