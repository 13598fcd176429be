"""The part that is shown enlarged holds what matters."""

import numpy as np
import pytest

from hilum.evaluate.framing import frame_of

EMPTY = np.zeros((300, 200), bool)


def block(*boxes):
    mask = EMPTY.copy()
    for rows, columns in boxes:
        mask[slice(*rows), slice(*columns)] = True
    return mask


def holds(frame, mask):
    rows, columns = np.nonzero(mask)
    near = [np.abs(rows - frame.row), np.abs(columns - frame.column)]
    return max(part.max() for part in near) <= frame.half


def test_truth_before_prediction_before_marks_before_the_whole():
    truth, pred = block(((20, 30), (40, 60))), block(((200, 210), (100, 120)))
    assert (frame_of(truth, pred).row, frame_of(truth, pred).column) == (24.5, 49.5)
    assert frame_of(EMPTY, pred).row == 204.5
    marked = frame_of(EMPTY, EMPTY, [(7.0, 9.0, 0.8), (100.0, 100.0, 0.2)])
    assert (marked.row, marked.column) == (7, 9)
    whole = frame_of(EMPTY, EMPTY)
    assert (whole.row, whole.column, whole.half) == (150, 100, 150)


@pytest.mark.parametrize("second", [((60, 70), (60, 70)), ((20, 24), (95, 99))])
def test_lesions_near_each_other_are_shown_together(second):
    truth = block(((20, 30), (40, 60)), second)
    assert holds(frame_of(truth, EMPTY), truth)


def test_of_lesions_far_apart_the_largest_is_shown_whole_corners_touching():
    largest = block(((200, 210), (100, 110)), ((210, 220), (110, 120)))  # one lesion: its halves touch at a corner
    frame = frame_of(largest | block(((10, 22), (10, 22))), EMPTY)
    assert holds(frame, largest)
    assert (frame.row, frame.column) == (209.5, 109.5)
