"""Run by tests in each of the processes that torchrun starts: train with one recipe after the other."""

import sys
from pathlib import Path

import torch

from selfhvd.training.job import train
from selfhvd.training.recipe import read_recipe

if __name__ == "__main__":
    torch.set_num_threads(1)
    for recipe in map(Path, sys.argv[1:]):
        train(read_recipe(recipe), recipe.parent / recipe.stem)
