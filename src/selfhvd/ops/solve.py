"""Small systems of equations, many at once, without asking the device whether they can be solved."""

import torch
from jaxtyping import Float
from torch import Tensor


def solved(matrix: Float[Tensor, "batch n n"], right: Float[Tensor, "batch n"]) -> Float[Tensor, "batch n"]:
    """The x of A x = b, A symmetric and positive definite; where it is not, the values are not finite, or no solution.

    In float64.
    """
    solution = torch.linalg.solve_ex(matrix.double(), right.double()[..., None], check_errors=False).result
    return solution[..., 0].to(right.dtype)


def inverted(matrix: Float[Tensor, "batch 3 3"]) -> Float[Tensor, "batch 3 3"]:
    """The inverse by cofactors, scaled so that the last element is 1: of homographies, which have no scale."""
    a, b, c = matrix.unbind(1)
    cofactors = torch.stack([torch.linalg.cross(b, c), torch.linalg.cross(c, a), torch.linalg.cross(a, b)], dim=2)
    return cofactors / cofactors[:, 2:, 2:]
