"""Spoken digits by eSpeak NG, in voices of which none is in two parts: a folder of recordings to search on.

Every voice says every digit several times, each time with another accent, speed and pitch, drawn by the seed, and
with white noise, 5 to 25 dB below the voice. Voices called alike (`steph`, `steph2`) are a family, all in one part;
families are dealt out by the seed, three fifths to train on. Recordings are as long as the digit.

For comparison it prints the test accuracy of a linear classifier, ridge regression on the same spectrograms with its
penalty chosen by the validation part. A folder that is there already is only classified. Needed are `espeak-ng`, which
is a package of Debian, scikit-learn, and amla[audio].

    python benchmarks/spoken_digits.py FOLDER [--times 4] [--seed 0]
"""

import argparse
import io
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import soundfile
from sklearn.linear_model import RidgeClassifier

from amla.tasks.dataset import Examples
from amla.tasks.load import load

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
ACCENTS = ("en-gb", "en-us", "en-gb-scotland", "en-gb-x-gbclan", "en-gb-x-rp", "en-gb-x-gbcwmd", "en-029")
PARTS = {"train": 3, "validation": 1, "test": 1}  # of five families of voices
SPEEDS, PITCHES, NOISES = (110, 220), (20, 80), (5.0, 25.0)  # words a minute; of 99; decibels below the voice
PENALTIES = (1e2, 1e3, 1e4, 1e5)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--times", type=int, default=4, help="how often a voice says a digit")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    if not given.folder.exists():
        write(given.folder, given.times, np.random.default_rng(given.seed))
    print(f"ridge regression: {regressed(given.folder):.4f} of the test recordings right")


def write(root: Path, times: int, rng: np.random.Generator) -> None:
    """Write the recordings, and say whose they are."""
    for part, voices in dealt(rng).items():
        print(f"{part}: {len(voices)} voices: {', '.join(voices)}")
        for voice in voices:
            for digit in DIGITS:
                folder = root / part / digit
                folder.mkdir(parents=True, exist_ok=True)
                for time in range(times):
                    samples, rate = spoken(digit, voice, rng)
                    soundfile.write(folder / f"{voice}-{time}.wav", samples, rate)


def dealt(rng: np.random.Generator) -> dict[str, list[str]]:
    """Return the voices of each part."""
    listing = espeak("--voices=variant").decode()
    voices = sorted(set(re.findall(r"!v/(\w+) *(?:\(.*\))?$", listing, re.MULTILINE)))
    families = sorted({family(voice) for voice in voices})
    order = [families[place] for place in rng.permutation(len(families))]
    ends = np.cumsum([0, *PARTS.values()]) * len(order) // sum(PARTS.values())
    chosen = {part: order[start:stop] for part, start, stop in zip(PARTS, ends[:-1], ends[1:], strict=True)}
    return {part: [v for v in voices if family(v) in found] for part, found in chosen.items()}


def family(voice: str) -> str:
    return re.sub(r"(Robot|\d+)$", "", voice)


def spoken(word: str, voice: str, rng: np.random.Generator) -> tuple[np.ndarray, int]:
    """Return a word with noise, and its rate."""
    accent, speed, pitch = rng.choice(ACCENTS), rng.integers(*SPEEDS), rng.integers(*PITCHES)
    said = espeak("-v", f"{accent}+{voice}", "-s", str(speed), "-p", str(pitch), "--stdout", word)
    samples, rate = soundfile.read(io.BytesIO(said))
    loud = np.sqrt(np.square(samples).mean()) * 10 ** (-rng.uniform(*NOISES) / 20)
    return np.clip(samples + rng.normal(0, loud, len(samples)), -1, 1), rate


def espeak(*arguments: str) -> bytes:
    """Return what eSpeak NG writes."""
    program = shutil.which("espeak-ng")
    assert program, "espeak-ng is not installed: apt-get install espeak-ng"
    return subprocess.run([program, *arguments], capture_output=True, check=True).stdout  # noqa: S603


def regressed(folder: Path) -> float:
    """Return the test accuracy of ridge regression."""
    data = load(str(folder))
    assert data.validation
    assert data.test
    (train, labels), validation, test = (flat(part) for part in (data.train, data.validation, data.test))
    mean, deviation = train.mean(0), train.std(0) + 1e-6
    fitted = [RidgeClassifier(alpha=each).fit((train - mean) / deviation, labels) for each in PENALTIES]
    best = max(fitted, key=lambda model: float(model.score((validation[0] - mean) / deviation, validation[1])))
    return float(best.score((test[0] - mean) / deviation, test[1]))


def flat(examples: Examples) -> tuple[np.ndarray, np.ndarray]:
    return np.asarray(examples.inputs).reshape(len(examples.labels), -1), examples.labels


if __name__ == "__main__":
    main()
