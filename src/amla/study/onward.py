"""How to go on from a run that is over: the commands that use what was found, as they are typed."""

from shlex import quote

from amla.evidence.beside import Beside
from amla.study.baselines import FOLDER, SUFFIX
from amla.study.folder import STUDY


def onward(run: str, examples: str, beside: Beside | None) -> dict[str, str]:
    """Return commands for the folder of a run, by what they are for; `examples` are what the network is shown."""
    found = {
        f"use it on new {examples}": f"amla predict {quote(run)} {examples.upper()}",
        "take it elsewhere": f"amla export {quote(run)}",
    }
    if beside and (rival := beside.instead):
        study, network = quote(f"{run}/{STUDY}"), quote(f"{run}/{FOLDER}/{rival.name}{SUFFIX}")
        found["train that baseline to the end"] = f"amla run {study} --network {network}"
    return found
