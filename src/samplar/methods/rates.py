"""How fast each part of a method learns, relative to the learning rate of the run."""

from __future__ import annotations

import math
from collections.abc import Iterable

from samplar.config.base import Strict
from samplar.errors import UsageError
from samplar.methods.contract import Method
from samplar.sam.model import Sam


def relative_rates(
    trained: Iterable[str], sam: Sam, method: Method, config: Strict
) -> dict[str, float]:
    """Return the relative rate of every trained parameter by name: 1 where the method says nothing.

    Args:
        trained: names of the trained parameters.
        sam: with the method on it.
        method: whose `rates` is asked.
        config: its settings.

    Raises:
        UsageError: `methods.rates`, for a name that does not train, or a rate that is not positive
            and finite.
    """
    rates = dict.fromkeys(trained, 1.0)
    given = {} if method.rates is None else method.rates(sam, config)
    for name, rate in given.items():
        if name not in rates or not 0 < rate < math.inf:
            what = "which does not train" if name not in rates else "which must be above 0"
            raise UsageError(
                f"{method.card.name} gives {name} the relative learning rate {rate}, {what}",
                fix="Correct `rates` in the method's file",
                code="methods.rates",
            )
        rates[name] = float(rate)
    return rates
