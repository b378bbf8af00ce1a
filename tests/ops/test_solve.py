"""Small systems are solved, and homographies inverted."""

import numpy as np
import torch

from selfhvd.ops.solve import inverted, solved


def test_positive_definite_systems(rng):
    """Of scales as far apart as gain and pixels are."""
    roots = rng.normal(size=(5, 30, 18)) * np.logspace(-2, 2, 18)
    matrix = np.einsum("bki,bkj->bij", roots, roots)
    wanted = rng.normal(size=(5, 18)) / np.logspace(-2, 2, 18)
    right = np.einsum("bij,bj->bi", matrix, wanted)
    found = solved(*(torch.from_numpy(values).float() for values in (matrix, right)))
    np.testing.assert_allclose(found.numpy(), wanted, rtol=0.02, atol=1e-3 * np.abs(wanted).max())


def test_what_cannot_be_solved_harms_nothing_else():
    matrix = torch.stack([torch.zeros(2, 2), torch.eye(2)])
    assert solved(matrix, torch.ones(2, 2))[1].tolist() == [1, 1]


def test_inverse_of_homographies(rng):
    matrix = torch.from_numpy(np.eye(3) + 0.2 * rng.normal(size=(4, 3, 3))).float()
    found = inverted(matrix) @ matrix
    torch.testing.assert_close(found / found[:, 2:, 2:], torch.eye(3).expand(4, 3, 3), atol=1e-5, rtol=0)
