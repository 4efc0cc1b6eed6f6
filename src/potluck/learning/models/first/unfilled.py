"""A model before anything is known of what fills the gaps of its columns: what training begins with."""

import numpy as np

from potluck.core.plan import Plan
from potluck.core.stages import Floats
from potluck.learning.data.encode import UNKNOWN, encoding
from potluck.learning.models.model import Model, model


def first_model(plan: Plan, weights: Floats) -> Model:
    """The model with these weights."""
    return model(plan, np.append(weights, np.full(len(encoding(plan).averaged), UNKNOWN)))
