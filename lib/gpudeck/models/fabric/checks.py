"""What the numbers of a network may be."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gpudeck.errors import InputError


def quantity(field: str, values: ArrayLike) -> NDArray[np.float64]:
    """Return finite numbers of 0 or more.

    Raises
    ------
    InputError
        A number is negative or not finite.

    >>> quantity("size_bytes", [0, 1.5])
    array([0. , 1.5])
    """
    array = _numbers(field, values)
    return _allow(field, array, array >= 0, "finite numbers of 0 or more")


def positive(field: str, values: ArrayLike) -> NDArray[np.float64]:
    """Return finite numbers above 0.

    Raises
    ------
    InputError
        A number is 0, negative or not finite.

    >>> positive("bandwidth_b_s", 2)
    array(2.)
    """
    array = _numbers(field, values)
    return _allow(field, array, array > 0, "finite numbers above 0")


def whole(field: str, values: ArrayLike) -> NDArray[np.float64]:
    """Return whole numbers of 1 or more.

    Raises
    ------
    InputError
        A number is below 1 or not whole.

    >>> whole("ranks", [1, 8])
    array([1., 8.])
    """
    array = _numbers(field, values)
    allowed = (array >= 1) & (array == np.floor(array))
    return _allow(field, array, allowed, "whole numbers of 1 or more")


def _numbers(field: str, values: ArrayLike) -> NDArray[np.float64]:
    try:
        return np.asarray(values, dtype=float)
    except (TypeError, ValueError) as error:
        msg = f"{field} is {values!r}; allowed are numbers"
        raise InputError(msg) from error


def _allow(
    field: str, array: NDArray[np.float64], allowed: NDArray[np.bool_], told: str
) -> NDArray[np.float64]:
    wrong = ~(allowed & np.isfinite(array))
    if wrong.any():
        first = float(np.atleast_1d(array)[np.atleast_1d(wrong)][0])
        msg = f"{field} is {first:g}; allowed are {told}"
        raise InputError(msg)
    return array
