"""From a configuration of 2018 to a study of it, as nearly as amla's recipe can."""

from collections.abc import Iterator
from dataclasses import replace

from amla.spaces.macro import Stem
from amla.spaces.space import SpaceError
from amla.spec.legacy.config import Config, Lrn, StemConv
from amla.spec.legacy.growth import Growth, Randoms
from amla.spec.legacy.macro import DROPOUT
from amla.spec.legacy.notes import Note
from amla.spec.legacy.training import ENVELOPENETS, Cosines, Decay, Training
from amla.spec.ops import Size
from amla.study.resolve import algorithm_of
from amla.study.settings.searches import FixedSettings, NacSettings, PaperSettings
from amla.study.settings.spaces import EnvelopeSettings
from amla.study.spaces import envelope_of, of_envelopes
from amla.study.study import Data, Final, Study, StudyError
from amla.tasks.recipe import Augment, Exponential, Recipe, Restarts, Schedule, Sgd

EXAMPLES = {"cifar10": 50_000, "imagenet": 1_281_167}  # of training, by which epochs become steps
EXTENTS = {"cifar10": 32}  # pixels of an edge, before anything is cut out
EMA = 0.9999  # of both programs: the decay a step of the weights that they scored
STEPS = 1  # of the search, where it has one network to choose from
LONG = 10  # times the steps of a search: what the EnvelopeNets repository trained the network for that it had found


def study_of(config: Config, network: str) -> tuple[Study, tuple[Note, ...]]:
    """Return a study of a configuration, and notes on where it is another.

    A search is a study of NAC in paper mode, where that can search so. Else the study trains the network in the file
    `network`.
    """
    extent = pixels(config)
    size = None if extent == EXTENTS.get(config.dataset) else (extent, extent)
    fixed, final = FixedSettings((network,), STEPS), Final(config.steps)
    study = Study(config.name, Data(config.dataset, size=size), _recipe(config), algorithm=fixed, final=final)
    why = None
    if isinstance(config.body, Growth):
        try:
            study = _searching(study, config, config.body)
        except (StudyError, SpaceError) as error:
            why = str(error)
    return study, (*_about_training(config), *_about_images(config), *_about_search(config, why))


def shape_of(config: Config) -> Size:
    """Return the shape of the network's inputs: colour images of as many pixels as the program cut out."""
    extent = pixels(config)
    return (3, extent, extent)


def pixels(config: Config) -> int:
    """Return the pixels of an edge that the network sees: images were first padded where `image_size` is more."""
    return min(config.image_size, EXTENTS.get(config.dataset, config.image_size))


def _recipe(config: Config) -> Recipe:
    said = config.training
    highest = said.rate.high if isinstance(said.rate, Cosines) else said.rate.initial
    return Recipe(
        batch=config.batch,
        optimiser=Sgd(highest, said.momentum, nesterov=said.momentum > 0),
        schedule=_schedule(said, _epoch(config)),
        weight_decay=2 * said.l2,  # the files' sum of squares has no half
        label_smoothing=said.smoothing,
        clip=said.clip,
        clip_each=said.clip is not None,
        ema=EMA,
        augment=Augment(flip=True, shift=_shift(config), cutout=config.cutout),
    )


def _schedule(said: Training, epoch: int) -> Schedule:
    match said.rate:
        case Cosines(high=high, low=low, epochs=epochs, growth=growth):
            return Restarts(epochs * epoch, growth, low / high)
        case Decay(factor=factor, epochs=epochs):
            return Exponential(factor, epochs * epoch)


def _epoch(config: Config) -> int:
    """Return the steps of an epoch."""
    return max(1, EXAMPLES.get(config.dataset, EXAMPLES["cifar10"]) // config.batch)


def _shift(config: Config) -> int:
    """Return by how many pixels the program's random window moved from the middle."""
    return abs(config.image_size - EXTENTS.get(config.dataset, config.image_size)) // 2


def _searching(study: Study, config: Config, growth: Growth) -> Study:
    """Return a study of the search. Raises StudyError or SpaceError where paper mode cannot search so."""
    if not any(growth.construction):
        raise StudyError("no stage is to be constructed (envelopenet.construction)")
    search = _search(config, growth, _stem(config))
    found = replace(study, space=_space(config, growth), algorithm=search, final=Final(LONG * config.steps))
    algorithm_of(found, envelope_of(of_envelopes(found.space), shape_of(config), config.classes), config.steps)
    return found


def _stem(config: Config) -> Stem:
    """Return what paper mode calls the stem of a configuration. Raises StudyError if it has no such stem."""
    if config.stem == ((StemConv(config.width, (1, 1)),), (Lrn(),)):
        return "response_norm"
    if config.stem == ((StemConv(config.width, (3, 3)),),):
        return "conv"
    raise StudyError("paper mode has no such stem; choose one of its own to search")


def _space(config: Config, growth: Growth) -> EnvelopeSettings:
    """Return the space of a search; branches are called by their ops, as far as these tell them apart."""
    ops = [op for _, op in growth.cell]
    return EnvelopeSettings(
        width=config.width,
        cells=growth.layers,
        max_cells=growth.most,
        branches=tuple(op if ops.count(op) == 1 else f"{op}-{name}" for name, op in growth.cell),
        dropout=DROPOUT,
        head_dropout=config.head_dropout,
    )


def _search(config: Config, growth: Growth, stem: Stem) -> NacSettings:
    paper = PaperSettings(
        arm="worst" if growth.worst_case else "best",
        dialect=growth.dialect,
        skip=growth.skip,
        construction=growth.construction,
        parameter_limits=growth.limits,
        stem=stem,
    )
    # the last network that the EnvelopeNets program trains is the one it found: the final training is of that
    iterations = config.iterations - (growth.dialect == "env")
    return NacSettings(iterations, config.steps, quota=growth.quota, mode="paper", paper=paper)


def _about_training(config: Config) -> Iterator[Note]:
    said, data, epoch = config.training, config.dataset, _epoch(config)
    if said == ENVELOPENETS:
        yield Note("training", "not in the file: SGD, rate 0.1, as in the program of the EnvelopeNets repository")
    if examples := EXAMPLES.get(data):
        yield Note("training lr", f"an epoch is {epoch:,} steps: {examples:,} examples in batches of {config.batch}")
    else:
        yield Note("training lr", f"an epoch is taken as {epoch:,} steps; amla does not know how large {data!r} is")
    if said.l2:
        says = f"weight decay {2 * said.l2:g}: twice the factor, which has no half; it spares all but kernels"
        yield Note("training regularization", says)
    yield Note("(program) evaluation", f"averaged weights, decay {EMA}; batch normalisation by running statistics")


def _about_images(config: Config) -> Iterator[Note]:
    data, extent, shift = config.dataset, pixels(config), _shift(config)
    if config.cutout:
        yield Note("stem cutout", "in the recipe: a square for every image, not one for all of a batch")
    if data not in EXTENTS:
        yield Note("parameters.dataset", f"set data.source to a folder of {data}; amla has none by name")
        yield Note("parameters.image_size", f"images are resized to {extent}, and no part of them is cut out")
    elif config.image_size > extent:
        yield Note("parameters.image_size", f"images of {extent} pixels, shifted by up to {shift}")
    elif extent < EXTENTS[data]:
        says = f"images are resized to {extent} and shifted by up to {shift}; the program cut out windows of {extent}"
        yield Note("parameters.image_size", says)
    yield Note("(program) colours", "brightness and contrast stay; inputs are normalised by channel, not by image")


def _about_search(config: Config, why: str | None) -> Iterator[Note]:
    """Yield notes on what is searched; `why` says why nothing is, though the configuration is a search."""
    match config.body:
        case Growth(dialect=dialect) if why is None:
            says = f"NAC in paper mode; the network that it finds is then trained for {LONG} times as many steps"
            yield Note("parameters.algorithm", says)
            if dialect == "env":
                says = (
                    f"{config.iterations - 1}: the program trains once more, which is the final training of the study"
                )
                yield Note("parameters.iterations", says)
        case Growth():
            yield Note("parameters.algorithm", f"the study trains the first network only: {why}")
            yield Note("parameters.iterations", "nothing is constructed, so these, quota and stages have no effect")
        case Randoms():
            yield Note("parameters.algorithm", "the study trains one network that was drawn; draw others by --seed")
            yield Note("parameters.iterations", "the study trains one network")
        case _:
            yield Note("parameters.iterations", "the study trains the one network once")
