"""How to go on from a run that is over: the commands that use what was found, as they are typed."""

from shlex import quote

from amla.evidence.beside import Beside


def onward(run: str, examples: str, beside: Beside | None) -> dict[str, str]:
    """Return commands for the folder of a run, by what they are for; `examples` are what the network is shown."""
    found = {
        f"use it on new {examples}": f"amla predict {quote(run)} {examples.upper()}",
        "take it elsewhere": f"amla export {quote(run)}",
    }
    if beside and (rival := beside.instead):
        network = quote(f"{run}/baselines/{rival.name}.arch.json")
        found["train that baseline to the end"] = f"amla run {quote(f'{run}/study.yaml')} --network {network}"
    return found
