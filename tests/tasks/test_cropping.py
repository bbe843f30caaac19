"""Random resized crops: where they are drawn, and what is in them."""

import numpy as np
import pytest

from amla.tasks.cropping import RATIO, Crop, boxes, cropped, middle, taken
from amla.tasks.dataset import Examples


def test_boxes_lie_within_the_image_and_have_the_area_and_ratio_asked_for():
    found = boxes(0, 3, 4000, (40, 60), 0.1)
    left, top, right, bottom = found.T
    assert (left >= 0).all()
    assert (top >= 0).all()
    assert (right <= 60 + 1e-9).all()
    assert (bottom <= 40 + 1e-9).all()
    width, height = right - left, bottom - top
    whole = (width < 60 - 1e-9) & (height < 40 - 1e-9)  # of those that were not cut
    share, ratio = (width * height / 2400)[whole], (width / height)[whole]
    assert share.min() >= 0.1 - 1e-9
    assert ratio.min() >= 1 / RATIO - 1e-9
    assert ratio.max() <= RATIO + 1e-9
    assert 0.1 <= share.min() < 0.11
    middles = ((left + right) / 2).mean(), ((top + bottom) / 2).mean()
    assert middles == pytest.approx((30, 20), abs=0.3)


def test_boxes_are_as_often_wide_as_high():
    left, top, right, bottom = boxes(0, 0, 4000, (60, 60), 0.1).T
    assert abs(np.log((right - left) / (bottom - top)).mean()) < 0.02


def test_boxes_never_change_between_versions():
    assert boxes(1, 2, 1, (32, 32), 0.5).round(4).tolist() == [[1.8666, 2.7653, 24.3528, 30.5836]]


def test_boxes_are_a_function_of_seed_and_step():
    one = boxes(0, 0, 8, (32, 32), 0.5)
    assert np.array_equal(one, boxes(0, 0, 8, (32, 32), 0.5))
    assert len({boxes(seed, step, 8, (32, 32), 0.5).tobytes() for seed in range(3) for step in range(3)}) == 9


def test_a_box_of_the_whole_image_is_the_image():
    images = np.random.default_rng(0).integers(0, 255, (2, 6, 8, 3), dtype=np.uint8)
    every = np.array([[0, 0, 8, 6], [0, 0, 8 + 1e-12, 6]], float)
    assert np.array_equal(cropped(images, every, (6, 8)), images)
    grey = images[..., :1]
    assert np.array_equal(cropped(grey, every, (6, 8)), grey)


def test_what_is_in_the_box_is_enlarged():
    image = np.zeros((1, 8, 8, 1), np.uint8)
    image[0, 1:5, 3:8] = 200  # and a pixel around it, between which and those in it is interpolated
    found = cropped(image, np.array([[4.0, 2.0, 8.0, 4.0]]), (8, 8))
    assert (found == 200).all()


def test_the_middle_is_cut_out():
    images = np.arange(2 * 5 * 6, dtype=np.uint8).reshape(2, 5, 6, 1)
    assert np.array_equal(middle(images, (3, 2)), images[:, 1:4, 2:4])
    assert middle(images, (5, 6)) is images


def test_a_network_reads_the_middle_or_a_crop_of_its_size():
    images = np.random.default_rng(0).integers(0, 255, (9, 8, 8, 3), dtype=np.uint8)
    examples = Examples(images, np.arange(9), (4, 4))
    assert examples.shape == (3, 4, 4)
    assert np.array_equal(taken(examples, np.array([3, 1])), images[[3, 1], 2:6, 2:6])
    assert taken(examples, np.array([3, 1]), Crop(0, 0, 0.5)).shape == (2, 4, 4, 3)
    assert taken(Examples(images, np.arange(9)), slice(2, 4), Crop(0, 0, 0.5)).shape == (2, 8, 8, 3)
