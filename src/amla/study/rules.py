"""What settings of a study do not go together: each contradiction in words that say what to do."""

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from amla.execution.service import address
from amla.reports.costs import LATENCY, ON_DEVICE
from amla.scores import COUNTED
from amla.study import plan
from amla.study.settings.latency import LatencySettings
from amla.study.settings.places import Http, MlflowSettings, OnThisMachine, Simulated, TabularSettings
from amla.study.settings.searches import (
    DartsSearchSettings,
    EnasSettings,
    FixedSettings,
    NacSettings,
    RandomSharingSettings,
    RemoteSettings,
)
from amla.study.settings.spaces import EnvelopeSettings, NasBench201Settings, NasBenchMacroSettings

if TYPE_CHECKING:
    from amla.study.study import Study

_NAME = re.compile(r"[^./\\][^/\\]{0,99}")


def contradictions(study: "Study") -> Iterator[str]:
    """Yield what is wrong with the settings of a study, each by itself being right."""
    if not _NAME.fullmatch(study.name) or not study.name.isprintable():
        yield (
            f"name is {study.name[:120]!r}; it names a folder: 1 to 100 characters, none of them / or \\, "
            "and not a dot first."
        )
    if study.limit.seconds is None:
        for place, steps in (("algorithm.steps", study.algorithm.steps), ("final.steps", study.final.steps)):
            if steps is None and study.limit.flops is None:
                yield f"{place} is not given, and neither is limit.seconds or limit.flops; one of them must be."
        if study.final.macs == "auto" and study.whole_flops is None:
            yield "final.macs is auto, which needs limit.seconds, or limit.flops without final.steps; give a number."
    yield from _search_share(study)
    if study.final.macs is not None and not isinstance(study.space, EnvelopeSettings):
        yield f"final.macs is given, but the networks of space.kind {study.space.kind} keep their width."
    if isinstance(study.backend, TabularSettings) or isinstance(study.executor, Simulated):
        yield from _tabular(study)
    if study.final.stem_stride is not None and study.final.macs is None:
        yield "final.stem_stride is given, which needs final.macs, the size of the final network."
    if isinstance(study.executor, Http):
        yield from _urls(study, study.executor)
    if isinstance(study.algorithm, RemoteSettings) and has_password(study.algorithm.url):
        yield (
            "algorithm.url has a password, which the run folder would keep for everybody to read. Leave it out, "
            "and put a token into AMLA_TOKEN."
        )
    if study.run_off is not None:
        yield from _run_off(study)
    if isinstance(study.backend, TabularSettings) and (study.baselines is not None or study.tuning is not None):
        yield "baselines or tuning are given, but a table trains nothing; leave them out."
    if study.terms is not None and isinstance(study.algorithm, NacSettings) and study.algorithm.mode == "paper":
        yield "terms are given, but paper mode searches as it did in 2018; leave them out."
    if study.constraints and isinstance(study.algorithm, NacSettings) and study.algorithm.mode == "paper":
        yield "constraints are given, but networks of 2018 know none; leave them out in paper mode."
    if study.prefer != "accurate":
        yield from _prefer(study)
    yield from _costs(study, getattr(study.algorithm, "costs", ()))
    if study.latency is not None:
        yield from _latency(study, study.latency)
    if study.devices > 1:
        yield from _devices(study, study.devices)
    for tracker in study.trackers:
        if isinstance(tracker, MlflowSettings) and has_password(tracker.uri or ""):
            yield (
                "trackers: the URI of MLflow has a password, which the run folder would keep for everybody to "
                "read. Put it into MLFLOW_TRACKING_PASSWORD or MLFLOW_TRACKING_URI, and leave it out."
            )


def _search_share(study: "Study") -> Iterator[str]:
    """What a search and all that is beside it take of a limit of the whole run leaves the final training enough."""
    if study.limit.seconds is None and study.whole_flops is None:
        return
    beside = plan.BASELINE_SHARE * (study.baselines is not None) + plan.TUNING_SHARE * (study.tuning is not None)
    least = plan.LEAST_FINAL_SHARE + plan.RESERVE_SHARE if study.limit.seconds is not None else plan.LEAST_SHARE
    most = round(1 - least - beside, 2)
    if study.final.steps is None and study.limit.search > most:
        yield f"limit.search is {study.limit.search:g}; it must be {most:.2f} at most here, to leave enough to others."


def _tabular(study: "Study") -> Iterator[str]:
    """Only a table has simulated time; it answers in the space that it is about, for the steps that it knows."""
    if not isinstance(study.backend, TabularSettings):
        yield "executor.kind is simulated, but only what is looked up takes simulated time; give backend.kind tabular."
        return
    if study.data.share < 1:
        yield f"data.share is {study.data.share}, but tables know networks that were trained on all; leave it out."
    if study.metric != "accuracy":
        yield f"metric is {study.metric}, but tables know accuracy alone; leave it out."
    if study.space.kind != study.backend.table:
        yield f"space.kind is {study.space.kind}, but the table is about {study.backend.table}."
    if study.space not in (NasBench201Settings(), NasBenchMacroSettings()):
        yield "The table is about networks of the published size; leave all but space.kind out of space."
    for place, steps in (("algorithm.steps", study.algorithm.steps), ("final.steps", study.final.steps)):
        if steps is None:
            yield f"{place} is not given; with backend.kind tabular steps are epochs, and must be."


def _urls(study: "Study", executor: Http) -> Iterator[str]:
    if not executor.urls:
        yield "executor.urls is empty; give the URL of one worker service or more."
    for place, url in enumerate(executor.urls):
        try:
            address(url)
        except ValueError as error:
            yield f"executor.urls[{place}]: {error}"


def _run_off(study: "Study") -> Iterator[str]:
    """A run-off compares networks that the search has trained from new weights for equally long."""
    match study.algorithm:
        case FixedSettings():
            yield "run_off is given, but given networks are not searched; leave it out."
        case DartsSearchSettings() | EnasSettings() | RandomSharingSettings():
            yield "run_off is given, but one-shot methods train no network by itself; leave it out."
        case NacSettings(mode="paper"):
            yield "run_off is given, but paper mode recommends its last network; leave it out."
        case NacSettings(inherit=True):
            yield "run_off is given, but with algorithm.inherit networks do not train alone; leave it out."
        case NacSettings(stable=float()):
            yield "run_off is given, but with algorithm.stable trainings end at different times; leave it out."


def _prefer(study: "Study") -> Iterator[str]:
    """Another network than the most accurate one can be preferred where several were trained by themselves."""
    match study.algorithm:
        case DartsSearchSettings() | EnasSettings() | RandomSharingSettings():
            yield f"prefer is {study.prefer}, but a one-shot search trains no networks to choose from."
        case NacSettings(mode="paper"):
            yield f"prefer is {study.prefer}, but paper mode takes its last network; leave it out."
        case NacSettings(inherit=True):
            yield f"prefer is {study.prefer}, but with algorithm.inherit networks do not train alone; leave it out."
        case NacSettings(stable=float()):
            yield f"prefer is {study.prefer}, but with algorithm.stable trainings end at different times; leave it out."
    if study.terms is not None and study.terms.seeds > 1:
        yield (
            f"prefer is {study.prefer}, but with terms.seeds the search goes by means of several trainings, of which "
            "this would compare single ones; leave one of the two out."
        )
    if study.final.macs is not None:
        yield f"prefer is {study.prefer}, but final.macs makes the final network wider; give final.macs as null."


def _costs(study: "Study", costs: Sequence[str]) -> Iterator[str]:
    """A search goes by costs that its trials have."""
    table = study.backend if isinstance(study.backend, TabularSettings) else None
    if study.latency is None and LATENCY in costs and table is None:
        yield "algorithm.costs names 'latency', which is measured where latency is given: latency: {}."
    told = [*COUNTED, *(f"{ON_DEVICE}{device}" for device in table.latency)] if table else []
    for cost in costs:
        if table and cost not in told:
            yield (
                f"algorithm.costs names {cost!r}; it may name {', '.join(told)}: what the table tells, of the devices "
                "in backend.latency."
            )
        elif not table and cost.startswith(ON_DEVICE):
            yield (
                f"algorithm.costs names {cost!r}, which tables alone tell; name 'latency', which is measured where "
                "latency is given: latency: {}."
            )


def _latency(study: "Study", latency: LatencySettings) -> Iterator[str]:
    """Latency is measured of closed networks that are trained by themselves."""
    if isinstance(study.backend, TabularSettings):
        yield "latency is given, but a table trains nothing whose latency could be measured."
    if latency.url is not None:
        try:
            address(latency.url)
        except ValueError as error:
            yield f"latency.url: {error}"
    match study.algorithm:
        case DartsSearchSettings() | EnasSettings() | RandomSharingSettings() if latency.at_most is not None:
            yield (
                "latency.at_most is given, but a one-shot search trains all networks as one, before it is known "
                "which of them is the result; take another algorithm, or constraints.macs."
            )
        case NacSettings(mode="paper") if latency.at_most is not None:
            yield "latency.at_most is given, but networks of 2018 know no limits; leave it out."


def _devices(study: "Study", devices: int) -> Iterator[str]:
    """Several devices train one network on equal shares of each batch, on this machine."""
    if not isinstance(study.executor, OnThisMachine):
        yield (
            f"backend.devices is {devices}, but with the executor {study.executor.kind!r} every network trains on "
            "one device; use 'local' or 'inline', or leave backend.devices out."
        )
    place = "final.recipe" if study.final.recipe else "recipe"
    if study.final_recipe.batch % devices:
        yield (
            f"{place}.batch is {study.final_recipe.batch}; the {devices} devices of backend.devices have equal "
            f"shares of a batch, so it must be a multiple of {devices}."
        )


def has_password(url: str) -> bool:
    """Return whether a URL tells a password."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return bool(parts.password) or "password" in parse_qs(parts.query)
