"""How a difference that several changes made together is shared out among them, whatever their order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations, compress, product
from math import comb


def shapley(size: int, worth: Callable[[frozenset[int]], float]) -> list[float]:
    """Shapley value of each of ``size`` changes.

    phi_i = sum over sets S without i of (worth(S + i) - worth(S)) / (size C(size - 1, |S|)): the mean, over all
    orders in which the changes could be made, of what change i adds when its turn comes. The shares add up to
    worth(all) - worth(none). Every one of the 2^size sets is worked out once.

    Parameters
    ----------
    worth
        Value with the changes of a set made.

    References
    ----------
    Shapley, L. S. (1953), A value for n-person games.
    """
    everyone = range(size)
    # The last changes vary fastest: what the first ones lead to may still be at hand.
    sets = (frozenset(compress(everyone, made)) for made in product((False, True), repeat=size))
    known = {made: worth(made) for made in sets}
    return [_share(i, [j for j in everyone if j != i], known) for i in everyone]


def _share(i: int, others: Sequence[int], known: dict[frozenset[int], float]) -> float:
    size = len(others) + 1
    return sum(
        (known[frozenset((*s, i))] - known[frozenset(s)]) / (size * comb(size - 1, n))
        for n in range(size)
        for s in combinations(others, n)
    )
