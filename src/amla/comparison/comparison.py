"""A comparison: which ways of searching, on which tasks, how often, for how much. One YAML file is one value."""

import json
import re
from collections.abc import Mapping
from dataclasses import field, replace
from itertools import chain, product
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from amla.spec.constraints import Constraints
from amla.spec.text import explain, plain_yaml, written_yaml
from amla.spec.values import SpecError, value
from amla.study.run import Limit
from amla.study.settings.places import BackendSettings, ExecutorSettings, Inline, Simulated, TabularSettings, Torch
from amla.study.settings.searches import AlgorithmSettings, FixedSettings, RandomSettings, RunOffSettings, Terms
from amla.study.settings.spaces import EnvelopeSettings, SpaceSettings
from amla.study.study import Data, Final, Study, StudyError
from amla.tasks.recipe import Recipe
from amla.tasks.task import Metric

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
SEEDS = 1000  # at most


@value
class Setting:
    """What all contenders have in common on a task: data, recipe, metric, space, its constraints, final training."""

    data: Data
    recipe: Recipe = Recipe()
    space: SpaceSettings = EnvelopeSettings()
    final: Final = Final()
    constraints: Constraints = Constraints()
    metric: Metric = "accuracy"


@value
class Contender:
    """A way of searching. What else may differ between two studies belongs to the task, and is the same for all.

    Its `terms` know of no searches before: what one knows from the start the others do not have paid for.
    """

    algorithm: AlgorithmSettings
    run_off: RunOffSettings | None = None
    terms: Terms | None = None

    def __post_init__(self) -> None:
        if self.terms and self.terms.after:
            raise StudyError(
                f"terms.after is {list(self.terms.after)}; a contender begins with nothing, as others do. Leave it out."
            )

    @property
    def searches(self) -> bool:
        """Whether it chooses among networks: it neither trains those of files alone nor draws a single one."""
        match self.algorithm:
            case FixedSettings() | RandomSettings(trials=1):
                return False
            case _:
                return True


@value
class Comparison:
    """Contenders, each run with every seed on every task, until it has used `limit` up or ends by itself.

    Where there are `limits`, by name, all of that is done within each of them. With `controls` what any search must
    beat is run besides; see `amla.comparison.controls`. Seeds are 0, 1 and so on; runs of one seed are a pair.
    """

    name: str
    tasks: Mapping[str, Setting]
    contenders: Mapping[str, Contender]
    seeds: int = 8
    limit: Limit = Limit()
    limits: Mapping[str, Limit] = field(default_factory=dict)
    controls: bool = True
    backend: BackendSettings = Torch()
    executor: ExecutorSettings = Inline()

    def __post_init__(self) -> None:
        named = {"name": (self.name,), "tasks": self.tasks, "contenders": self.contenders, "limits": self.limits}
        for what, names in named.items():
            if not names and what != "limits":
                raise StudyError(f"{what} is empty; a comparison has one or more.")
            for name in names:
                if not NAME.fullmatch(name):
                    raise StudyError(f"{what} has {name!r}; use letters, digits, '_' and '-', 64 at most.")
        if not 1 <= self.seeds <= SEEDS:
            raise StudyError(f"seeds is {self.seeds}; it must be from 1 to {SEEDS}.")
        if self.limits and not self.limit.is_empty:
            raise StudyError("limit and limits are both given; put that limit among the others, by a name.")
        if isinstance(self.backend, TabularSettings) and not isinstance(self.executor, Simulated):
            raise StudyError(
                f"executor.kind is {self.executor.kind}, but searches compared on a table take simulated time; say "
                "executor: {kind: simulated}."
            )
        if self.limits:
            dict(self.parts)  # each of which is checked as it is made
            return
        unknown = [name for name, contender in self.contenders.items() if contender.algorithm.steps is None]
        if unknown and self.limit.seconds is None:
            raise StudyError(
                f"{unknown[0]}: algorithm.steps is not given; without limit.seconds it must be, as the networks of "
                "controls train for as many."
            )
        for task, (name, contender) in product(self.tasks, self.contenders.items()):
            try:
                self.study(task, contender, 0)
            except StudyError as error:
                raise StudyError(f"{name} on {task}: {error}") from None

    @property
    def costs(self) -> tuple[str, ...]:
        """All that any contender goes by besides the metric: what networks cost."""
        named = (getattr(contender.algorithm, "costs", ()) for contender in self.contenders.values())
        return tuple(dict.fromkeys(chain.from_iterable(named)))

    @property
    def parts(self) -> Mapping[str, "Comparison"]:
        """The comparisons that it is made of, each with one limit, by the limit's name; itself, "", if it has one."""
        if not self.limits:
            return {"": self}
        found = {}
        for name, limit in self.limits.items():
            try:
                found[name] = replace(self, limit=limit, limits={})
            except StudyError as error:
                raise StudyError(f"limits.{name}: {error}") from None
        return found

    def is_whole(self, task: str) -> bool:
        """Whether the limit of operations is that of whole runs on a task, whose final trainings have what is left."""
        return self.study(task, next(iter(self.contenders.values())), 0).whole_flops is not None

    def study(self, task: str, contender: Contender, seed: int) -> Study:
        """Return the study of a contender on a task. Raises StudyError where the two do not fit together."""
        shared = self.tasks[task]
        return Study(
            name=task,
            data=shared.data,
            recipe=shared.recipe,
            space=shared.space,
            algorithm=contender.algorithm,
            final=shared.final,
            backend=self.backend,
            executor=self.executor,
            limit=self.limit,
            seed=seed,
            run_off=contender.run_off,
            terms=contender.terms,
            constraints=shared.constraints,
            metric=shared.metric,
        )


_comparison = TypeAdapter(Comparison)


def load(path: Path) -> Comparison:
    """Read a comparison from a file. Raises StudyError, naming the file, which says where it breaks which rule."""
    try:
        return from_yaml(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StudyError(f"There is no comparison '{path}'.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise StudyError(f"'{path}' cannot be read: {error}.") from None
    except StudyError as error:
        raise StudyError(f"'{path}' is no comparison that can be run:\n{error}") from None


def from_yaml(text: str) -> Comparison:
    """Return the comparison that `text` describes. Raises StudyError."""
    plain: Any = None
    try:
        plain = plain_yaml(text)
        return _comparison.validate_json(json.dumps(plain))
    except ValidationError as error:
        raise StudyError(explain(error, plain)) from None
    except SpecError as error:
        raise StudyError(str(error)) from None
    except StudyError:
        raise
    except (TypeError, ValueError, RecursionError) as error:  # YAML knows dates, and values that contain themselves
        raise StudyError(f"This is no comparison: {error}.") from None


def to_yaml(comparison: Comparison) -> str:
    """Return a comparison as YAML, every setting written out."""
    return written_yaml(_comparison.dump_python(comparison, mode="json"), width=100)
