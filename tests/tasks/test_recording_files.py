"""Recordings become spectrograms of one shape that are right, whatever they are encoded in; every mistake is named."""

import random
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from amla.tasks.carved import parts
from amla.tasks.dataset import DataError, Dataset
from amla.tasks.findings import findings
from amla.tasks.recipe import Recipe
from amla.tasks.shown import shown
from amla.tasks.sound import BANDS, RANGE, Sound, fitting, spectrogram
from amla.tasks.task import Task

Load = Callable[..., Dataset]
RATE = 8000


def tone(seconds: float, hertz: float, rate: int = RATE, loud: float = 0.5) -> np.ndarray:
    return loud * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)


def put(path: Path, samples: np.ndarray, rate: int = RATE, **how: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate, **how)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder of 20 recordings of 0.5 s in two classes."""
    for number in range(20):
        put(
            tmp_path / "sounds" / ("low", "high")[number % 2] / f"{number}.wav",
            tone(0.5, (300, 2000)[number % 2] + number),
        )
    return tmp_path / "sounds"


class TestSpectrograms:
    SOUND = fitting(RATE, [0.5])

    def test_a_sine_of_full_scale_is_0_decibels_in_all_and_most_in_the_band_of_its_pitch(self):
        mel = np.linspace(0, np.log10(1 + RATE / 1400), BANDS + 2)
        middles = 700 * (10 ** mel[1:-1] - 1)
        for band in (20, 40, 60):
            found = spectrogram(tone(0.5, middles[band], loud=1.0), self.SOUND)
            assert found.shape == (self.SOUND.frames, BANDS)
            assert (found[2:-2].argmax(axis=1) == band).all()
            assert 10 * np.log10((10 ** (found[2:-2] / 10)).sum(axis=1)) == pytest.approx(0, abs=0.5)

    def test_time_is_in_order(self):
        samples = np.concatenate([tone(0.25, 300), tone(0.25, 2000)])
        strongest = spectrogram(samples, self.SOUND).argmax(axis=1)
        assert strongest[5] < strongest[-5]

    def test_ten_times_as_loud_is_20_decibels_more_and_nothing_else(self):
        soft = tone(0.5, 700, loud=0.05) + np.random.default_rng(0).normal(0, 1e-2, 4000)
        assert spectrogram(10 * soft, self.SOUND) - spectrogram(soft, self.SOUND) == pytest.approx(20, abs=1e-3)

    def test_silence_is_finite_and_nothing_is_told_apart_far_below_the_loudest(self):
        assert spectrogram(np.zeros(4000), self.SOUND) == pytest.approx(-100)
        found = spectrogram(tone(0.5, 700), self.SOUND)
        assert found.max() - found.min() == pytest.approx(RANGE, abs=1e-3)

    @pytest.mark.parametrize("count", [1, 100, 3999, 4001, 20_000])
    def test_every_length_has_the_same_shape_and_its_middle_in_the_middle(self, count: int):
        samples = np.zeros(count)
        samples[count // 2] = 1
        found = spectrogram(samples, self.SOUND)
        assert found.shape == (50, BANDS)
        assert abs(int(found.sum(axis=1).argmax()) - 25) <= 1

    def test_every_band_hears_something(self):
        for rate, seconds in ((8000, 0.005), (16_000, 1.0), (44_100, 0.02), (48_000, 30.0), (192_000, 3.0), (100, 9.0)):
            sound = fitting(rate, [seconds])
            noise = np.random.default_rng(0).normal(0, 0.1, sound.samples)
            assert (spectrogram(noise, sound).mean(axis=0) > -80).all(), sound

    def test_settings_fit_the_recordings(self):
        assert fitting(16_000, [1.0]) == Sound(16_000, 100, 160, 400)
        assert fitting(16_000, [1.0] * 99 + [60.0]).seconds == 1.0
        assert fitting(16_000, [1.0] * 9 + [3.0]).seconds == 3.0
        assert fitting(16_000, [600.0]).seconds == pytest.approx(30)
        for seconds in (1e-4, 0.003, 0.1, 0.777, 5.0, 12.3, 29.0):
            sound = fitting(22_050, [seconds])
            assert 1 <= sound.frames <= 505
            assert sound.seconds == pytest.approx(seconds, rel=0.05, abs=1e-4)
            assert sound.window >= sound.hop


class TestFolders:
    def test_classes_and_shapes_and_what_is_said(self, load: Load, folder: Path):
        for _ in range(2):  # the second time from the cache
            found = load(str(folder))
            assert found.classes == ("high", "low")
            assert found.shape == (BANDS, 50)
            assert found.train.inputs.dtype == np.float32
            assert found.sound == Sound(RATE, 50, 80, 200)
            (said,) = found.notices
            assert said == (
                "20 recordings of 0.5 s become log-mel spectrograms of 64 bands and 50 frames: the middle 0.5 s at "
                "8,000 Hz, a frame of 200 samples (25 ms) every 80."
            )
        low, high = found.train.inputs[-1].mean(axis=0).argmax(), found.train.inputs[0].mean(axis=0).argmax()
        assert low < high

    def test_parts_are_kept_and_the_training_part_says_how_long_they_are(self, load: Load, folder: Path):
        folder.rename(folder.parent / "train")
        put(folder.parent / "test" / "low" / "long.wav", tone(3, 300))
        found = load(str(folder.parent))
        assert found.test is not None
        assert found.test.inputs.shape == (1, 50, BANDS)
        assert "longer ones (1) are cut" in found.notices[0]

    @pytest.mark.parametrize("kind", ["wav", "flac", "ogg", "opus", "mp3", "aiff"])
    def test_what_it_is_encoded_in_makes_little_difference(self, load: Load, tmp_path: Path, kind: str):
        how = {"format": "OGG", "subtype": "OPUS"} if kind == "opus" else {}
        for number in range(6):
            put(tmp_path / kind / "ab"[number % 2] / f"{number}.{kind.upper()}", tone(0.5, 500, 16_000), 16_000, **how)
        found = load(str(tmp_path / kind))
        expected = spectrogram(tone(0.5, 500, 16_000), fitting(16_000, [0.5]))
        loud = expected > expected.max() - 20
        middle = found.train.inputs[0, 10:40]
        assert middle[loud[10:40]] == pytest.approx(expected[10:40][loud[10:40]], abs=3)

    def test_other_rates_are_resampled_and_channels_mixed(self, load: Load, folder: Path):
        samples = tone(0.5, 300, 44_100)
        put(folder / "low" / "other.wav", np.stack([2 * samples, 0 * samples], axis=1) * 0.9, 44_100)
        put(folder / "low" / "same.wav", tone(0.5, 300, loud=0.45))
        found = load(str(folder))
        assert (
            "; those of another rate (1) are resampled, those of several channels (1) are mixed to one."
            in found.notices[0]
        )
        other, same = found.train.inputs[-2:]
        loud = same > same.max() - 30
        assert other[loud] == pytest.approx(same[loud], abs=0.5)

    def test_only_what_is_wanted_of_a_long_file_is_read(
        self, load: Load, folder: Path, monkeypatch: pytest.MonkeyPatch
    ):
        samples = np.concatenate([tone(1, 2000), tone(0.5, 300), tone(1, 2000)])
        put(folder / "low" / "long.wav", samples)
        counts: list[int] = []
        whole = soundfile.SoundFile.read
        monkeypatch.setattr(
            soundfile.SoundFile, "read", lambda file, count, **how: counts.append(count) or whole(file, count, **how)
        )
        found = load(str(folder))
        assert set(counts) == {4000}
        assert found.train.inputs[-1, 10:40].mean(axis=0).argmax() < BANDS // 2

    def test_damaged_recordings_are_left_out_by_name_where_they_are_few(self, load: Load, folder: Path):
        for number in range(300):
            put(folder / "low" / f"more{number}.wav", tone(0.05, 300))
        (folder / "low" / "bad.wav").write_bytes(b"RIFF and no more")
        put(folder / "high" / "empty.flac", np.zeros(0))
        put(folder / "high" / "nan.wav", np.full(4000, np.nan), subtype="FLOAT")
        found = load(str(folder))
        assert len(found.train.labels) == 320
        assert "3 of 323 recordings could not be read and were left out" in found.notices[-1]
        for name in ("low/bad.wav", "high/empty.flac", "high/nan.wav"):
            assert name in found.notices[-1]

    def test_many_damaged_ones_are_refused(self, load: Load, folder: Path):
        (folder / "low" / "bad.wav").write_bytes(b"RIFF and no more")
        with pytest.raises(DataError, match=r"1 of 21 recordings in .* cannot be read: low/bad.wav"):
            load(str(folder))

    def test_whatever_bytes_a_file_holds_it_is_read_or_named(self, load: Load, tmp_path: Path, folder: Path):
        chance, refused = random.Random(0), 0
        for number in range(60):
            victim = chance.choice([".wav", ".flac", ".ogg", ".mp3", ".aiff"])
            path = put(tmp_path / f"{number}" / "a" / f"x{victim}", tone(0.3, 500))
            put(tmp_path / f"{number}" / "b" / "y.wav", tone(0.3, 500))
            content = bytearray(path.read_bytes())
            for _ in range(chance.choice((1, 3))):
                place = chance.randrange(chance.choice((len(content), 64)))
                if chance.random() < 0.3:
                    del content[max(1, place) :]
                else:
                    content[place:place] = chance.randbytes(chance.choice((1, 4)))
            path.write_bytes(content)
            said = outcome(load, tmp_path / f"{number}")
            refused += bool(said)
            assert not said or "a/x" in said
        assert 5 < refused < 60

    def test_recordings_without_classes_and_empty_classes_are_named(self, load: Load, folder: Path):
        put(folder.parent / "flat" / "1.wav", tone(0.1, 300))
        with pytest.raises(DataError, match=r"holds 1 recordings without classes .* CLASS/\*.wav"):
            load(str(folder.parent / "flat"))
        (folder / "nothing").mkdir()
        with pytest.raises(DataError, match=r"class 'nothing' .* has no recordings to train on"):
            load(str(folder))

    def test_there_is_no_size_and_nothing_to_decode_for_every_batch(self, load: Load, folder: Path):
        with pytest.raises(DataError, match="holds recordings, whose length says"):
            load(str(folder), size=(32, 32))
        with pytest.raises(DataError, match="holds recordings, which are decoded once"):
            load(str(folder), stream="decode")

    def test_images_beside_recordings_are_left_alone_and_the_other_way_round(
        self, load: Load, folder: Path, png: Callable[..., bytes]
    ):
        (folder / "low" / "cover.png").write_bytes(png(0))
        found = load(str(folder))
        assert found.shape == (BANDS, 50)
        assert found.notices[0] == "The images there (1) were left alone: there are more recordings."
        for number in range(60):
            (folder / ("low", "high")[number % 2] / f"{number}.png").write_bytes(png(0))
        found = load(str(folder))
        assert found.shape == (1, 4, 4)
        assert found.notices[0] == "The recordings there (20) were left alone: there are more images."

    def test_numbers_of_recordings_are_read_from_a_table(self, load: Load, tmp_path: Path):
        for number in range(8):
            put(tmp_path / "calls" / f"{number}.wav", tone(0.2, 400 + 100 * number))
        rows = [f"{number}.wav,{400 + 100 * number}" for number in range(8)]
        (tmp_path / "calls" / "pitch.csv").write_text("\n".join(["file_name,pitch", *rows]))
        found = load(str(tmp_path / "calls"))
        assert found.classes == ("pitch",)
        assert found.shape == (BANDS, 32)
        assert found.train.labels[:, 0].tolist() == [400 + 100 * number for number in range(8)]

    def test_duplicates_and_imbalance_are_found(self, load: Load, folder: Path):
        for number in range(100):
            put(folder / "low" / f"again{number}.wav", tone(0.5, 300))
        found = load(str(folder))
        divided = parts(found, validation=0.1, test=0.2, seed=0)
        said = list(findings(Task(found, divided, Recipe())))
        assert any("classes are out of balance: 'low'" in line for line in said)
        assert any("test examples" in line and "are training examples, too" in line for line in said)

    def test_without_soundfile_it_is_said_what_to_install(
        self, load: Load, folder: Path, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setitem(sys.modules, "soundfile", None)
        with pytest.raises(DataError, match=r"pip install 'amla\[audio\]'"):
            load(str(folder))


def outcome(load: Load, source: Path) -> str:
    """Return why recordings cannot be loaded, empty where they can, and are finite."""
    try:
        found = load(str(source))
    except DataError as error:
        return str(error)
    assert np.isfinite(found.train.inputs).all()
    return ""


class TestShown:
    def test_what_is_shown_is_what_was_trained_on(self, load: Load, folder: Path):
        found = load(str(folder))
        files = [*sorted((folder / "high").iterdir()), *sorted((folder / "low").iterdir())]
        for paths in (files, [folder / "high", folder / "low"]):
            (some,) = shown(paths, found.shape, sound=found.sound)
            np.testing.assert_array_equal(some.inputs, found.train.inputs)
            assert some.names == tuple(map(str, files))

    def test_spectrograms_are_taken_as_arrays_and_damaged_files_are_named(self, load: Load, folder: Path):
        found = load(str(folder))
        np.savez(folder / "more.npz", series=found.train.inputs[:3].transpose(0, 2, 1))
        (folder / "bad.wav").write_bytes(b"RIFF")
        paths = [folder / "low" / "0.wav", folder / "more.npz", folder / "bad.wav"]
        one, three, bad = shown(paths, found.shape, sound=found.sound)
        np.testing.assert_array_equal(one.inputs[0], found.train.inputs[10])
        np.testing.assert_array_equal(three.inputs, found.train.inputs[:3])
        assert bad.unreadable == (str(folder / "bad.wav"),)
        (folder / "empty").mkdir()
        with pytest.raises(DataError, match="has no recordings in it"):
            list(shown([folder / "empty"], found.shape, sound=found.sound))
