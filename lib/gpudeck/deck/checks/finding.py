"""What a check has to say about one place of the deck."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, order=True)
class Finding:
    """One thing that is wrong, or not there yet.

    Parameters
    ----------
    check : str
        The check that found it: notebooks, texts, parity, claims, pages or layout.
    where : str
        File and cell, or language and slide.
    message : str
        What is there and what is allowed.
    severity : "error" or "pending"
        "pending" is a page whose model is still to come.
    """

    check: str
    where: str
    message: str
    severity: Literal["error", "pending"] = "error"
