"""What the mesh relies on in sophon.sail, each as a function that raises where it is not so."""

from . import engines, language_models, tensors
from .bench import CHECKS, STAND_IN_ONLY, Bench

__all__ = ["CHECKS", "STAND_IN_ONLY", "Bench", "engines", "language_models", "tensors"]
