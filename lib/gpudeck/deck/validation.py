"""Holds every model to published results: what was published, what we compute, how far apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any, Literal

from gpudeck.errors import InputError
from gpudeck.fact import Fact, function_name
from gpudeck.models.fabric.collectives import build_collectives
from gpudeck.models.fabric.published import NOTES as FABRIC_NOTES
from gpudeck.models.fabric.published import compute_published as compute_fabric
from gpudeck.models.resilience.elastic_published import compute_published as compute_elastic
from gpudeck.models.resilience.published import NOTES as RESILIENCE_NOTES
from gpudeck.models.resilience.published import compute_published as compute_resilience
from gpudeck.models.scheduling.published import compute_published as compute_packing
from gpudeck.models.serving.published import NOTES as SERVING_NOTES
from gpudeck.models.serving.published import compute_published as compute_serving
from gpudeck.models.sharing.gpu.published import compute_published as compute_sharing
from gpudeck.models.storage.loader.published import compute_published as compute_loader
from gpudeck.models.storage.published import NOTES as STORAGE_NOTES
from gpudeck.models.storage.published import compute_published as compute_storage
from gpudeck.models.training.published import NOTES as TRAINING_NOTES
from gpudeck.models.training.published import compute_published as compute_training
from gpudeck.tables import Row, read_table

Compute = Callable[[Sequence[Row]], dict[str, float]]

# table in data/published → the function that computes its rows
MODELS: dict[str, Compute] = {
    "packing": compute_packing,
    "sharing": compute_sharing,
    "serving": compute_serving,
    "fabric": compute_fabric,
    "storage": compute_storage,
    "loader": compute_loader,
    "training": partial(compute_training, build=build_collectives),
    "resilience": compute_resilience,
    "elastic": compute_elastic,
}
# why a row may not be met, by model and id
NOTES: dict[str, Mapping[str, str]] = {
    "serving": SERVING_NOTES,
    "fabric": FABRIC_NOTES,
    "storage": STORAGE_NOTES,
    "training": TRAINING_NOTES,
    "resilience": RESILIENCE_NOTES,
}
BOUND = "bound"  # the attribute of a row that only bounds the model's number


@dataclass(frozen=True)
class Validation:
    """One published result beside what the model computes.

    `error` is computed − published, `tolerance` the largest error that passes, all in `unit`. A
    claim of a best case is a `bound`: the computed number may lie below it by the tolerance, and
    not above it. `note` says why a row is not met, where that is known.
    """

    id: str
    model: str
    published: float
    computed: float
    tolerance: float
    unit: str
    source: str
    kind: Literal["target", "bound"] = "target"
    note: str = ""

    @property
    def error(self) -> float:
        """Computed − published."""
        return self.computed - self.published

    @property
    def ok(self) -> bool:
        """Whether the error is within the tolerance."""
        if self.kind == BOUND:
            return -self.tolerance <= self.error <= 0
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
        above = computed[row.id] > row.number and row.attribute != BOUND
        # a range may reach further on one side: that of the error counts
        tolerance = row.high - row.number if above else row.number - row.low
        result = Validation(
            row.id,
            model,
            row.number,
            computed[row.id],
            tolerance,
            row.unit,
            ";".join(row.sources),
            "bound" if row.attribute == BOUND else "target",
        )
        note = "" if result.ok else NOTES.get(model, {}).get(row.id, "")
        results.append(replace(result, note=note))
    return tuple(results)


def select(results: Sequence[Validation], *subjects: str) -> tuple[Validation, ...]:
    """Return the results whose id is ``subject@…`` for one of the subjects, in their order.

    >>> results = [Validation(name, "m", 1, 1, 0, "x", "s") for name in ("a@1", "b@1")]
    >>> [result.id for result in select(results, "b")]
    ['b@1']
    """
    return tuple(result for result in results if result.id.partition("@")[0] in subjects)


def report_validation(results: Sequence[Validation]) -> tuple[Fact, ...]:
    """Return how many published results are compared, how many are met, and the largest error.

    Parameters
    ----------
    results : sequence of Validation
        From `validate_models`, of one model and in one unit; at least one.
    """
    worst = max(abs(result.error) for result in results)
    model, by = f"model:{results[0].model}", function_name(validate_models)
    error = Fact("worst_error", worst, "point", "simulated", model, by, decimals=2)
    return (error, *report_met(results))


def report_met(results: Sequence[Validation]) -> tuple[Fact, ...]:
    """Return how many published results are compared, and how many are met.

    Parameters
    ----------
    results : sequence of Validation
        From `validate_models`, of one model, in any units; at least one.
    """
    by, model = function_name(validate_models), f"model:{results[0].model}"
    sources = sorted({source for result in results for source in result.source.split(";")})
    met = sum(result.ok for result in results)
    kind = "published-measurement"
    # a slide cites the source of each of its facts
    more = (
        Fact(
            f"results_of_{number}",
            sum(source in result.source.split(";") for result in results),
            "count",
            kind,
            source,
            by,
            decimals=0,
        )
        for number, source in enumerate(sources[1:], start=2)
    )
    return (
        Fact("published_results", len(results), "count", kind, sources[0], by, decimals=0),
        Fact("results_met", met, "count", "simulated", model, by, decimals=0),
        *more,
    )
