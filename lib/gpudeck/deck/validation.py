"""Holds every model to published results: what was published, what we compute, how far apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from gpudeck.errors import InputError
from gpudeck.fact import Fact, function_name
from gpudeck.models.scheduling.published import compute_published as compute_packing
from gpudeck.models.sharing.gpu.published import compute_published as compute_sharing
from gpudeck.tables import Row, read_table

Compute = Callable[[Sequence[Row]], dict[str, float]]

# table in data/published → the function that computes its rows
MODELS: dict[str, Compute] = {"packing": compute_packing, "sharing": compute_sharing}


@dataclass(frozen=True)
class Validation:
    """One published result beside what the model computes.

    `error` is computed − published, `tolerance` the largest error that passes, all in `unit`.
    """

    id: str
    model: str
    published: float
    computed: float
    tolerance: float
    unit: str
    source: str

    @property
    def error(self) -> float:
        """Computed − published."""
        return self.computed - self.published

    @property
    def ok(self) -> bool:
        """Whether the error is within the tolerance."""
        return abs(self.error) <= self.tolerance

    def to_dict(self) -> dict[str, Any]:
        """Return the row as a JSON-able dictionary."""
        return asdict(self) | {"error": self.error, "ok": self.ok}


def validate_models(*models: str) -> tuple[Validation, ...]:
    """Compute every published result that a model is held to.

    Parameters
    ----------
    models
        Only these keys of `MODELS`; all of them if none is named.

    Raises
    ------
    InputError
        When a model is unknown, a table of published results is wrong, or a model leaves one of its
        rows out.
    """
    if unknown := [model for model in models if model not in MODELS]:
        msg = f"model is {unknown[0]!r}; allowed are {', '.join(MODELS)}"
        raise InputError(msg)
    return tuple(
        result
        for model in models or MODELS
        for result in compare(model, read_table(f"published/{model}").rows, MODELS[model])
    )


def compare(model: str, rows: Sequence[Row], compute: Compute) -> tuple[Validation, ...]:
    """Compare published rows with what `compute` returns for them, by id.

    Raises
    ------
    InputError
        When a row has no range, which is the tolerance, or is not computed.
    """
    computed = compute(rows)
    results = []
    for row in rows:
        if row.id not in computed or row.low is None or row.high is None:
            what = "is not computed" if row.id not in computed else "has no low and high"
            msg = f"data/published/{model}.csv: {row.id} {what}; each row needs both"
            raise InputError(msg)
        tolerance = max(row.high - row.number, row.number - row.low)
        sources = ";".join(row.sources)
        results.append(
            Validation(row.id, model, row.number, computed[row.id], tolerance, row.unit, sources)
        )
    return tuple(results)


def report_validation(results: Sequence[Validation]) -> tuple[Fact, ...]:
    """Return how many published results are compared, how many are met, and the largest error.

    Parameters
    ----------
    results : sequence of Validation
        From `validate_models`, of one model and in one unit; at least one.
    """
    by, model = function_name(validate_models), f"model:{results[0].model}"
    sources = sorted({source for result in results for source in result.source.split(";")})
    worst = max(abs(result.error) for result in results)
    return (
        Fact("worst_error", worst, "point", "simulated", model, by, decimals=2),
        Fact(
            "published_results",
            len(results),
            "count",
            "published-measurement",
            sources[0],
            by,
            decimals=0,
        ),
        Fact(
            "results_met",
            sum(result.ok for result in results),
            "count",
            "simulated",
            model,
            by,
            decimals=0,
        ),
    )
