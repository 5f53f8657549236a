"""Recipes of `gpunet train`: for each kind of data how to read it, its model, and good settings."""

from gpunet.train.recipes.digits import DIGITS, MNIST_RECIPE
from gpunet.train.recipes.images import IMAGES
from gpunet.train.recipes.recipe import Data, Recipe
from gpunet.train.recipes.table import TABLE
from gpunet.train.recipes.text import TEXT

RECIPES: dict[str, Recipe] = {each.name: each for each in (DIGITS, MNIST_RECIPE, TEXT, IMAGES, TABLE)}

__all__ = ["RECIPES", "Data", "Recipe"]
