"""The facts of page 16: striping, clients, metadata, small files, checkpoints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gpudeck.fact import Fact, function_name
from gpudeck.hardware.storage_device import find_storage_device
from gpudeck.models.storage.checkpoint import Checkpoint, checkpoint_bytes, save_checkpoint
from gpudeck.models.storage.file_system_study import (
    FileSystemStudy,
    MetadataStudy,
    study_file_system,
    study_metadata,
)
from gpudeck.models.storage.lustre import ALL_OSTS, Lustre
from gpudeck.models.storage.metadata import copy_opens_s
from gpudeck.models.storage.published import FILES
from gpudeck.models.storage.striping import read_bandwidth, write_bandwidth
from gpudeck.tables import read_table
from gpudeck.workload.model import find_model

MODEL = "model:lustre"


def _published(key: str, device: str, attribute: str, decimals: int | None = None) -> Fact:
    row = find_storage_device(device).rows[attribute]
    by = function_name(find_storage_device)
    return Fact(key, row.number, row.unit, row.kind, row.sources[0], by, decimals=decimals)


def report_file_system(study: FileSystemStudy) -> tuple[Fact, ...]:
    """Return what the bandwidths say.

    Parameters
    ----------
    study : FileSystemStudy
        From `study_file_system`.

    Returns
    -------
    tuple of Fact
        `one` (one client, the scenario's stripes), `one_all` (all stripes), `one_stripe`,
        `aggregate`, `aggregate_write` (all clients), `per_client`, in GB/s; `clients`, `knee`,
        `enough`, `oss`, `osts`, `osts_each`, `stripes`; the manual's `oss_limit`,
        `client_limit` and `known`.
    """
    lustre = study.lustre
    read, write, whole = (
        function_name(f) for f in (read_bandwidth, write_bandwidth, study_file_system)
    )
    speeds = (
        ("one", study.one.gb_s, read),
        ("one_all", float(study.one_read[-1]), read),
        ("one_stripe", float(study.one_read[0]), read),
        ("aggregate", study.read.gb_s, read),
        ("aggregate_write", study.write.gb_s, write),
        ("per_client", study.read.client_gb_s, read),
    )
    counts = (
        ("clients", study.clients),
        ("knee", study.knee_clients),
        ("enough", study.enough_clients),
        ("oss", lustre.oss_count),
        ("osts", lustre.ost_count),
        ("osts_each", lustre.osts_per_oss),
        ("stripes", study.stripe_count),
    )
    return (
        *(Fact(key, value, "GB/s", "computed", MODEL, by) for key, value, by in speeds),
        *(Fact(key, value, "count", "computed", MODEL, whole, decimals=0) for key, value in counts),
        _published("oss_limit", "Lustre-production", "oss_read_gb_s", 0),
        _published("client_limit", "Lustre-production", "client_gb_s", 0),
        _published("known", "Lustre-production", "aggregate_tb_s", 0),
    )


def report_metadata(study: MetadataStudy, scenario_id: str) -> tuple[Fact, ...]:
    """Return what metadata says.

    Parameters
    ----------
    study : MetadataStudy
        From `study_metadata`.
    scenario_id : str
        Where the settings come from.

    Returns
    -------
    tuple of Fact
        `opens` (all clients, striped over all targets), `opens_plain`, `opens_few`, `creates`, a
        second; `mdts`, `few`, `threads`, `rpcs`; `small_size`, `crossover` (KiB), `small` (GB/s),
        `small_share`, % of the bandwidth; `open_ms`.
    """
    lustre, here = study.lustre, study.lustre.mdt_count - 1
    by = function_name(study_metadata)
    rates = (
        ("opens", study.striped[here]),
        ("opens_plain", study.plain[here]),
        ("opens_few", study.few[here]),
        ("creates", study.create[here]),
    )
    counts = (
        ("mdts", lustre.mdt_count),
        ("few", study.few_clients),
        ("threads", study.threads_per_client),
        ("rpcs", lustre.rpcs_in_flight),
    )
    return (
        *(Fact(key, float(value), "1/s", "computed", MODEL, by) for key, value in rates),
        *(Fact(key, value, "count", "computed", MODEL, by, decimals=0) for key, value in counts),
        Fact(
            "small_size", study.small_bytes / 1024, "KiB", "scenario", scenario_id, by, decimals=0
        ),
        Fact("crossover", study.crossover_bytes / 1024, "KiB", "computed", MODEL, by, decimals=0),
        Fact("small", study.small_gb_s, "GB/s", "computed", MODEL, by),
        Fact("small_share", study.small_share_pct, "%", "computed", MODEL, by, decimals=0),
        Fact("open_ms", 1e3 * lustre.open_s, "ms", "scenario", scenario_id, by, decimals=1),
        _published("mds_opens", "Lustre-production", "mds_stat_per_s", 0),
        _published("mds_creates", "Lustre-production", "mds_create_per_s", 0),
    )


@dataclass(frozen=True, slots=True)
class MeasuredCopy:
    """A measured copy of many small files: one open, one missed open, the copy, the opens alone."""

    name: str
    open_s: float
    missing_s: float
    copy_s: float
    opens_s: float

    @property
    def opens_pct(self) -> float:
        """Part of the copy that waiting for opens explains, %."""
        return 100 * self.opens_s / self.copy_s


def read_measured_copies() -> tuple[MeasuredCopy, MeasuredCopy]:
    """Read the copy of 13,019 small files on a local NVMe drive and on a mounted Lustre.

    Source: Bekman, Machine Learning Engineering: Storage.

    >>> [round(copy.opens_pct) for copy in read_measured_copies()]
    [16, 48]
    """
    copies = []
    for name, device, suffix, unit_s in (
        ("nvme", "NVMe-local", "us", 1e-6),
        ("lustre", "Lustre-mounted", "ms", 1e-3),
    ):
        number = find_storage_device(device).number
        open_s, missing_s = (number(f"{n}_{suffix}") * unit_s for n in ("open", "open_missing"))
        copy_s = number("copy_13019_files_s")
        opens_s = copy_opens_s(FILES, open_s, missing_s)
        copies.append(MeasuredCopy(name, open_s, missing_s, copy_s, opens_s))
    return copies[0], copies[1]


def report_copies(copies: Sequence[MeasuredCopy]) -> tuple[Fact, ...]:
    """Return the measured copies: `files`, `copy_nvme`, `copy_lustre`, `copy_ratio`, `open_ratio`.

    Parameters
    ----------
    copies : sequence of MeasuredCopy
        From `read_measured_copies`: local, then Lustre.
    """
    local, lustre = copies
    by, opens = function_name(read_measured_copies), function_name(copy_opens_s)
    return (
        Fact("files", FILES, "count", "published-measurement", "mls", by),
        Fact("copy_nvme", local.copy_s, "s", "published-measurement", "mls", by, decimals=1),
        Fact("copy_lustre", lustre.copy_s, "s", "published-measurement", "mls", by, decimals=0),
        Fact("copy_ratio", lustre.copy_s / local.copy_s, "x", "derived", "mls", by),
        Fact("open_ratio", lustre.open_s / local.open_s, "x", "derived", "mls", by),
        Fact("opens_pct", lustre.opens_pct, "%", "computed", MODEL, opens, decimals=0),
        Fact("opens_pct_nvme", local.opens_pct, "%", "computed", MODEL, opens, decimals=0),
    )


@dataclass(frozen=True, slots=True)
class SavedModel:
    """A model of MLPerf Storage: its published checkpoint and ours, and how fast it is saved."""

    name: str
    parameters: int
    published_gib: float
    checkpoint: Checkpoint

    @property
    def gib(self) -> float:
        """Size by the rule of 14 bytes a parameter, GiB."""
        return self.checkpoint.size_bytes / 2**30


def study_checkpoints(study: FileSystemStudy, model: str) -> tuple[SavedModel, ...]:
    """Return MLPerf's models and the scenario's as they are saved on a scenario's file system.

    Parameters
    ----------
    study : FileSystemStudy
        From `study_file_system`: all its clients write.
    model : str
        The scenario's model, an id of data/models.csv.

    Raises
    ------
    InputError
        There is no such model.
    """
    published = read_table("published/storage")
    rows = (("8b", "llama-3-8b"), ("70b", "llama-3-70b"), ("405b", "llama-3-405b"))
    saved = []
    for size, model_id in rows:
        row = published.row(f"checkpoint@{size}", "target")
        saved.append(_save(study.lustre, study.clients, model_id, row.number))
    if model not in [model_id for _, model_id in rows]:
        saved.append(_save(study.lustre, study.clients, model, 0.0))
    return tuple(saved)


def _save(lustre: Lustre, clients: int, model_id: str, published_gib: float) -> SavedModel:
    model = find_model(model_id)
    checkpoint = save_checkpoint(lustre, model.parameters, clients, ALL_OSTS)
    return SavedModel(model.title, model.parameters, published_gib, checkpoint)


def report_checkpoints(study: FileSystemStudy, model: str, scenario_id: str) -> tuple[Fact, ...]:
    """Return the scenario's own checkpoint: `checkpoint` (GiB), `save` (s), `bytes_each`, `model`.

    Parameters
    ----------
    study, model
        As of `study_checkpoints`.
    scenario_id : str
        Where the model's name comes from.
    """
    own = find_model(model)
    saved = save_checkpoint(study.lustre, own.parameters, study.clients)
    size, save = function_name(checkpoint_bytes), function_name(save_checkpoint)
    return (
        Fact("model", own.title, "text", "scenario", scenario_id, save),
        Fact("checkpoint", saved.size_bytes / 2**30, "GiB", "computed", MODEL, size, decimals=0),
        Fact("save", saved.save_s, "s", "computed", MODEL, save, decimals=1),
        Fact("load", saved.load_s, "s", "computed", MODEL, save, decimals=1),
        _published("bytes_each", "MLPerf-checkpoint", "bytes_per_parameter", 0),
    )
