"""Storage: a parallel file system, and the way of its bytes into the GPU."""

from gpudeck.models.storage.checkpoint import Checkpoint, checkpoint_bytes, save_checkpoint
from gpudeck.models.storage.components import FileSystemMap, Part, Wire, map_file_system
from gpudeck.models.storage.file_system_report import (
    MeasuredCopy,
    SavedModel,
    read_measured_copies,
    report_checkpoints,
    report_copies,
    report_file_system,
    report_metadata,
    study_checkpoints,
)
from gpudeck.models.storage.file_system_study import (
    FileSystemStudy,
    MetadataStudy,
    study_file_system,
    study_metadata,
)
from gpudeck.models.storage.gds_log import (
    LoggedRun,
    Misprint,
    audit_guide,
    read_local_runs,
    read_remote_runs,
)
from gpudeck.models.storage.io_path import (
    ROUTES,
    Hop,
    IoPath,
    IoRate,
    build_path,
    join_hops,
    little_latency_s,
)
from gpudeck.models.storage.io_report import (
    report_cpu,
    report_machine,
    report_misprints,
    report_paths,
    report_remote,
)
from gpudeck.models.storage.io_study import IoStudy, study_paths
from gpudeck.models.storage.lustre import Lustre, build_lustre
from gpudeck.models.storage.metadata import (
    MetadataRate,
    SmallFiles,
    metadata_rate,
    read_small_files,
)
from gpudeck.models.storage.nvme_of import RemotePath, build_remote_path
from gpudeck.models.storage.request_cost import RequestCost, read_request_cost
from gpudeck.models.storage.striping import (
    LIMITS,
    Bandwidth,
    BandwidthGrid,
    bandwidth_grid,
    bandwidth_map,
    read_bandwidth,
    write_bandwidth,
)

__all__ = [
    "LIMITS",
    "ROUTES",
    "Bandwidth",
    "BandwidthGrid",
    "Checkpoint",
    "FileSystemMap",
    "FileSystemStudy",
    "Hop",
    "IoPath",
    "IoRate",
    "IoStudy",
    "LoggedRun",
    "Lustre",
    "MeasuredCopy",
    "MetadataRate",
    "MetadataStudy",
    "Misprint",
    "Part",
    "RemotePath",
    "RequestCost",
    "SavedModel",
    "SmallFiles",
    "Wire",
    "audit_guide",
    "bandwidth_grid",
    "bandwidth_map",
    "build_lustre",
    "build_path",
    "build_remote_path",
    "checkpoint_bytes",
    "join_hops",
    "little_latency_s",
    "map_file_system",
    "metadata_rate",
    "read_bandwidth",
    "read_local_runs",
    "read_measured_copies",
    "read_remote_runs",
    "read_request_cost",
    "read_small_files",
    "report_checkpoints",
    "report_copies",
    "report_cpu",
    "report_file_system",
    "report_machine",
    "report_metadata",
    "report_misprints",
    "report_paths",
    "report_remote",
    "save_checkpoint",
    "study_checkpoints",
    "study_file_system",
    "study_metadata",
    "study_paths",
    "write_bandwidth",
]
