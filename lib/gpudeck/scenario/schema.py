"""The scenario: what the reader may choose, and each field's unit, bounds and meaning.

The descriptions and bounds here are also the comments of the scenario files and the text of errors.
"""

from __future__ import annotations

import datetime
import unicodedata
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from gpudeck.scenario.cluster import Cluster, build_cluster
from gpudeck.scenario.template import write_yaml

SLUG = r"^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$"
FILE_NAME = r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$"
SHARE_TOLERANCE = 1e-6
# type of the errors whose message says what is wrong
REFUSED = "refused"


def _refusal(reason: str) -> PydanticCustomError:
    return PydanticCustomError(REFUSED, "{reason}", {"reason": reason})


def _refuse_invisible(text: str) -> str:
    for character in text:
        if not character.isprintable() and unicodedata.category(character) != "Zs":
            reason = f"has the control or invisible character U+{ord(character):04X}"
            raise _refusal(reason)
    if not text.strip():
        reason = "is blank"
        raise _refusal(reason)
    return text


def _read_date(value: object) -> object:
    try:
        return datetime.date.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        reason = f"is {value!r}"
        raise _refusal(reason) from None


Text = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_refuse_invisible)]
Slug = Annotated[str, Field(pattern=SLUG)]
FileName = Annotated[str, Field(pattern=FILE_NAME, max_length=200)]
PathText = Annotated[str, Field(min_length=1, max_length=4096), AfterValidator(_refuse_invisible)]
Date = Annotated[datetime.date, BeforeValidator(_read_date)]


class Section(BaseModel):
    """A part of the scenario: frozen, with no unknown keys, no coercion, no NaN or infinity."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Bilingual(Section):
    """The same words in both languages of the deck."""

    zh: Text = Field(description="in Chinese")
    en: Text = Field(description="in English")

    def in_language(self, lang: str) -> str:
        """Return the words in "zh" or "en"."""
        return {"zh": self.zh, "en": self.en}[lang]


class Origin(Section):
    """Where the scenario's numbers come from; pages print it beside what is computed from them."""

    kind: Literal["synthetic", "resampled", "measured"] = Field(
        description="synthetic (made up), resampled (drawn from summaries of a real cluster) "
        "or measured (your own records)"
    )
    note: Bilingual = Field(description="whose numbers these are, in one sentence")


class Fleet(Section):
    """The machines."""

    nodes: int = Field(
        ge=1,
        le=100_000,
        description="number of nodes; another number than the table's or the trace's keeps the mix "
        "of node types (largest remainder)",
    )
    node_types: PathText = Field(
        description="node types with counts: the name of a table in data/, or your own .csv with "
        "the same columns, its path relative to this file"
    )


class ClusterSource(Section):
    """The pods that ask for GPUs, and the cluster trace, where one is at hand."""

    trace: PathText | None = Field(
        description="folder of an openb trace (Alibaba cluster-trace-gpu-v2023), relative to this "
        "file; null: the tables fleet.node_types and cluster.pods are used"
    )
    node_list: FileName = Field(description="name of the node list in the trace's folder")
    pod_list: FileName = Field(description="name of the pod list in the trace's folder")
    pods: PathText = Field(
        description="pod specifications with counts: the name of a table in data/, or your own "
        ".csv with the same columns, its path relative to this file"
    )


class Packing(Section):
    """The packing experiment of page 10: pods arrive, none departs, each is tried once."""

    load_pct: float = Field(
        ge=1,
        le=400,
        description="GPU demand that arrives until the experiment ends, in % of the GPU capacity",
    )
    orders: int = Field(
        ge=2,
        le=1000,
        description="number of random orders of arrival; the bands are over these",
    )
    typical_share_pct: float = Field(
        gt=0,
        le=100,
        description="share of the pods, in %, that the typical pods of the FGD policy cover",
    )


class Sharing(Section):
    """One GPU shared by several tenants: pages 6 to 8."""

    gpu: FileName = Field(
        description="GPU on which sharing is studied: an id of data/gpus.csv that has MIG"
    )
    tenants_per_gpu: int = Field(
        ge=2,
        le=7,
        description="tenants that share it on page 7: a training job, from three on a notebook, "
        "and inference; their kernels are synthetic (data/workload_kernels.csv)",
    )
    slice_ms: float = Field(
        ge=0.1, le=100, description="time slicing: length of a slice, in ms; no vendor publishes it"
    )
    switch_us: float = Field(
        ge=0,
        le=10_000,
        description="time slicing: cost of a switch to another client, in microseconds; an "
        "assumption",
    )


class WorkloadUse(Section):
    """How the pods of one kind of workload use the GPU that they ask for."""

    sm_mean_pct: float = Field(
        gt=0,
        lt=100,
        description="SM activity, in % of the GPU asked for, mean over pods and the hours of a day",
    )
    sm_peak_pct: float = Field(
        gt=0,
        lt=100,
        description="the same in the peak hour, mean over pods; equal to sm_mean_pct if the load "
        "does not vary, at most 12 times as much",
    )
    sm_sd_pct: float = Field(
        ge=0,
        lt=50,
        description="standard deviation over pods of the peak-hour SM activity, in points; its "
        "square has to be below mean times (100 % less mean), as a Beta distribution asks",
    )
    memory_mean_pct: float = Field(
        gt=0, lt=100, description="GPU memory used, in % of the part asked for, mean over pods"
    )
    memory_sd_pct: float = Field(
        ge=0, lt=50, description="standard deviation over pods of the memory used, in points"
    )
    failed_pct: float = Field(
        ge=0, le=100, description="part of the used GPU time that goes to jobs which fail, in %"
    )
    hours_per_day: int = Field(
        ge=1, le=24, description="hours a day for which a pod is there, centred on use.peak_hour"
    )
    job_h: float = Field(
        ge=1,
        le=24,
        description="mean length of a job in hours, the next follows at once; 24: a service that "
        "stays all day",
    )


def _check_use(use: WorkloadUse) -> WorkloadUse:
    if not use.sm_mean_pct <= use.sm_peak_pct <= 12 * use.sm_mean_pct:
        reason = (
            f"has sm_peak_pct {use.sm_peak_pct:g} with sm_mean_pct {use.sm_mean_pct:g}; allowed "
            "is from the mean to 12 times the mean"
        )
        raise _refusal(reason)
    for name, mean, spread in (
        ("sm_sd_pct", use.sm_peak_pct, use.sm_sd_pct),
        ("memory_sd_pct", use.memory_mean_pct, use.memory_sd_pct),
    ):
        if spread**2 >= mean * (100 - mean):
            reason = f"has {name} {spread:g}, too large for a Beta distribution of mean {mean:g}"
            raise _refusal(reason)
    return use


CheckedUse = Annotated[WorkloadUse, AfterValidator(_check_use)]


class Use(Section):
    """What pods use of what they ask for, by kind of workload: pages 4, 5 and 9."""

    inference: CheckedUse = Field(description="pods that serve models")
    training: CheckedUse = Field(description="pods that train models")
    notebook: CheckedUse = Field(description="pods in which people try things out")
    peak_hour: int = Field(
        ge=0, le=23, description="hour of the day, 0 to 23, in which the load is greatest"
    )
    sharing_loss_low_pct: float = Field(
        ge=0,
        lt=100,
        description="least part of a sharing pod's throughput that sharing costs, in %",
    )
    sharing_loss_high_pct: float = Field(
        ge=0, lt=100, description="greatest part of a sharing pod's throughput that it costs, in %"
    )


def _check_loss(use: Use) -> Use:
    low, high = use.sharing_loss_low_pct, use.sharing_loss_high_pct
    if low > high:
        reason = f"has sharing_loss_low_pct {low:g} above sharing_loss_high_pct {high:g}"
        raise _refusal(reason)
    return use


class Cost(Section):
    """What a GPU-hour costs: one price for all GPUs of the fleet, as a range."""

    low_usd_per_gpu_h: float = Field(gt=0, le=10_000, description="lowest price in US dollars")
    central_usd_per_gpu_h: float = Field(
        gt=0, le=10_000, description="price in US dollars that the pages compute with"
    )
    high_usd_per_gpu_h: float = Field(gt=0, le=10_000, description="highest price in US dollars")
    month: Slug = Field(description="month of the prices, YYYY-MM")
    basis: Bilingual = Field(description="what the prices are of, in a few words")
    source: FileName = Field(
        description="where the prices come from: a key of data/sources.csv, or your own file"
    )


def _check_cost(cost: Cost) -> Cost:
    prices = (cost.low_usd_per_gpu_h, cost.central_usd_per_gpu_h, cost.high_usd_per_gpu_h)
    if list(prices) != sorted(prices):
        reason = f"has prices {prices} that do not rise from low over central to high"
        raise _refusal(reason)
    return cost


class RightSizing(Section):
    """Requests sized from use, page 8; the use is synthetic, as shares of what a pod declared."""

    quantile_pct: float = Field(
        gt=0, lt=100, description="quantile of profiled use on which a request is sized, in %"
    )
    headroom_pct: float = Field(ge=0, le=400, description="added to that quantile, in % of it")
    profile_days: int = Field(ge=1, le=30, description="days of use on which requests are sized")
    days: int = Field(ge=1, le=60, description="days after the profile on which they are tested")
    sample_minutes: int = Field(ge=1, le=60, description="minutes between two samples of use")
    pods: int = Field(
        ge=10, le=5000, description="pods drawn for each run among those that ask for a GPU"
    )
    use_pct: float = Field(gt=0, le=95, description="mean use, in % of what a pod declared")
    diurnal_pct: float = Field(
        ge=0, le=100, description="swing of use over a day, up and down, in % of its level"
    )
    noise_pct: float = Field(ge=0, le=100, description="spread of memory use, in % of its level")
    compute_noise_pct: float = Field(
        ge=0, le=200, description="spread of compute use, in % of its level"
    )
    growth_pct: float = Field(ge=0, le=100, description="growth of use in a week, in %")
    jumps_per_week: float = Field(
        ge=0, le=20, description="sudden and lasting jumps of use, a pod and week"
    )
    jump_pct: float = Field(ge=0, le=300, description="size of a jump, in %")
    restart_minutes: float = Field(
        ge=0, le=240, description="minutes that a kill or a resize takes from a pod"
    )
    context_tokens: int = Field(
        ge=1, le=32768, description="context of each sequence of a small language model, in tokens"
    )
    sequences: int = Field(ge=1, le=1024, description="sequences that the model holds at once")


class Fairness(Section):
    """Tenants' demand over time, and what they may borrow from each other: page 13."""

    load_pct: float = Field(
        gt=0, le=400, description="mean demand of all tenants, in % of the fleet's GPUs"
    )
    swing_pct: float = Field(
        ge=0,
        le=100,
        description="how far a tenant's demand rises and falls over its day, in % of its mean; the "
        "tenants' peaks are spread over the day",
    )
    job_h: float = Field(gt=0, le=1000, description="mean run time of a job, in hours")
    days: float = Field(
        ge=0.5, le=60, description="length of the simulation, in days; the first sixth is warm-up"
    )
    borrow_limit_pct: float = Field(
        ge=0,
        le=100,
        description="the most that a tenant may hold beyond its guarantee, in % of the fleet; 100 "
        "is no limit",
    )
    checkpoint_min: float = Field(
        ge=0,
        le=10_000,
        description="work between two checkpoints, in minutes: an evicted job loses what came "
        "after the last; 0 loses nothing",
    )
    grace_s: float = Field(
        ge=0,
        le=86_400,
        description="how long evicted jobs take to leave, in seconds; their GPUs do no work",
    )


class Queue(Section):
    """The jobs that wait for whole GPUs: page 12. They are synthetic in every scenario."""

    nodes: int = Field(
        ge=1,
        le=100_000,
        description="nodes of the fleet that this queue fills, taken evenly; at most all",
    )
    load_pct: float = Field(
        ge=1, le=400, description="GPU-hours that the jobs ask for, in % of the capacity"
    )
    days: float = Field(gt=0, le=365, description="days in which jobs arrive")
    diurnal_pct: float = Field(
        ge=0, le=100, description="swing of the rate of arrivals over a day, in % of its mean"
    )
    gang_share_pct: float = Field(
        ge=0, le=100, description="share of the jobs, in %, that are gangs of 2, 4 or 8 pods"
    )
    durations_of: Literal["Helios", "Kalos", "PAI", "Philly", "Seren"] = Field(
        description="cluster of data/published/cluster_statistics.csv whose mean and median "
        "duration the jobs have"
    )
    over_estimate: float = Field(
        ge=1, le=100, description="duration that users state, as a multiple of the real one"
    )
    checkpoint_min: float = Field(
        ge=0, le=10_080, description="minutes between the checkpoints of a job; 0 for none"
    )
    restart_min: float = Field(
        ge=0, le=10_080, description="minutes that a preempted job needs before it works again"
    )


class Serving(Section):
    """A language model that answers requests: pages 11, 19, 20 and 22."""

    model: FileName = Field(description="language model: an id of data/models.csv")
    gpu: FileName = Field(description="GPU that it runs on: an id of data/gpus.csv")
    tensor_parallel: int = Field(
        ge=1, le=64, description="GPUs of a replica, which share the model"
    )
    precision: Literal["fp32", "fp16", "bf16", "fp8", "int8", "int4"] = Field(
        description="numbers in which weights and key-value cache are kept"
    )
    requests: Literal[
        "azure-conversation-2023",
        "azure-code-2023",
        "mooncake-conversation",
        "mooncake-synthetic",
        "sharegpt-llama-3.1-8b",
    ] = Field(
        description="trace of data/request_lengths.csv whose lengths of prompt and answer the "
        "requests have"
    )
    trace: PathText | None = Field(
        description="log of requests of your own in place of it, relative to this file: CSV or "
        "JSON lines, see gpudeck.workload.request_log; its times are stretched to the rate, and a "
        "run takes a stretch of it; null: requests are drawn"
    )
    arrivals: Literal["poisson", "gamma"] = Field(
        description="how drawn requests arrive: poisson, or gamma, in clusters as in the trace"
    )
    count: int = Field(ge=100, le=1_000_000, description="requests of a run")
    ttft_objective_s: float = Field(
        gt=0, le=3600, description="objective: time to the first token, in seconds"
    )
    tbt_objective_s: float = Field(
        gt=0, le=3600, description="objective: time between two tokens, in seconds"
    )
    objective_percentile: float = Field(
        ge=50, lt=100, description="percentile of both times that has to meet its objective"
    )
    max_batch: int = Field(ge=1, le=8192, description="most requests in one iteration")
    chunk_tokens: int = Field(
        ge=1, le=131_072, description="tokens of one iteration with chunked prefill"
    )
    block_size: int = Field(
        ge=1, le=1024, description="tokens of a block of the key-value cache with paging"
    )
    step_overhead_ms: float = Field(
        ge=0,
        le=1000,
        description="CPU time that an engine spends in each iteration, in ms; an assumption: 0.5 "
        "to 2 ms on real engines",
    )


class Training(Section):
    """A large model in training on many GPUs: pages 15, 18, 21, 24 and 25."""

    model: FileName = Field(description="language model: an id of data/models.csv")
    gpu: FileName = Field(description="GPU that it is trained on: an id of data/gpus.csv")
    gpus: int = Field(ge=1, le=1_000_000, description="GPUs of the job")
    gpus_per_node: int = Field(
        ge=1, le=72, description="GPUs of a node, joined by NVLink; a divisor of the job's GPUs"
    )
    link: FileName = Field(
        description="network of the job, one port for each GPU: an id of data/network.csv"
    )
    precision: Literal["fp32", "tf32", "bf16", "fp8"] = Field(
        description="numbers in which matrices are multiplied"
    )
    sequence_tokens: int = Field(ge=128, le=1_048_576, description="tokens of a sequence")
    batch_tokens: int = Field(
        ge=128, le=1_000_000_000, description="tokens of one step, over all GPUs"
    )
    total_tokens: float = Field(gt=0, le=1e15, description="tokens of the whole run")


def _check_training(training: Training) -> Training:
    if training.gpus % training.gpus_per_node:
        reason = (
            f"has {training.gpus} gpus, which {training.gpus_per_node} gpus_per_node do not divide"
        )
        raise _refusal(reason)
    if training.batch_tokens % training.sequence_tokens:
        reason = (
            f"has {training.batch_tokens} batch_tokens, which {training.sequence_tokens} "
            "sequence_tokens do not divide"
        )
        raise _refusal(reason)
    return training


class Loading(Section):
    """What a data-hungry training job reads: page 18."""

    workload: FileName = Field(description="what is read: an id of data/training_inputs.csv")
    gpus: int = Field(
        ge=1, le=10_000, description="GPUs that read, each batches of its own, and step together"
    )
    gpus_per_node: int = Field(ge=1, le=72, description="of these, GPUs of one node")
    workers: int = Field(
        ge=1, le=256, description="processes of each GPU that read and decode, in turn"
    )
    prefetch: int = Field(
        ge=1, le=64, description="batches that each of them may have under way or ready"
    )
    steps: int = Field(ge=60, le=100_000, description="steps of a run, the first 50 are warm-up")


class StorageSystem(Section):
    """The file system of the training job, and storage inside its nodes: pages 16 to 18."""

    oss_count: int = Field(ge=1, le=10_000, description="object storage servers (OSS)")
    osts_per_oss: int = Field(
        ge=1, le=64, description="object storage targets (OST) of each server"
    )
    ost_read_gb_s: float = Field(
        gt=0, le=1000, description="what one OST, a group of drives, reads, in GB/s"
    )
    ost_write_gb_s: float = Field(gt=0, le=1000, description="what one OST writes, in GB/s")
    oss_ports: int = Field(ge=1, le=64, description="network ports of a storage server")
    mdt_count: int = Field(
        ge=1, le=256, description="metadata targets (MDT), one on each metadata server"
    )
    stripe_count: int = Field(
        ge=1, le=2000, description="OSTs over which a file is striped; at most all OSTs"
    )
    client_ports: int = Field(
        ge=1, le=64, description="network ports of a training node that carry files"
    )
    link: FileName = Field(
        description="kind of port, of servers and clients: an id of data/network.csv"
    )
    protocol: Literal["o2ib", "tcp"] = Field(
        description="driver of Lustre's network (LNet): o2ib, RDMA over InfiniBand or RoCE, or "
        "tcp; a name only, no model reads it: pages 15 and 18 compare transports"
    )
    open_ms: float = Field(
        gt=0,
        le=10_000,
        description="time of one open() by a client, in ms; 2.3 was measured on a mounted Lustre",
    )
    rpcs_in_flight: int = Field(
        ge=1,
        le=512,
        description="metadata requests that a client has under way at once to one MDT; Lustre's "
        "default is 8",
    )
    threads_per_client: int = Field(
        ge=1,
        le=10_000,
        description="threads of a training node that open and read files at once: its data-loader "
        "workers; an assumption",
    )
    small_file_kib: float = Field(
        gt=0, le=1e9, description="size of a small file, in KiB, as in a folder of pictures"
    )
    drives_per_node: int = Field(ge=1, le=128, description="NVMe drives of a training node")
    drive_gb_s: float = Field(gt=0, le=100, description="what one drive reads, in GB/s")
    drive_iops: float = Field(
        gt=0, le=1e8, description="random reads of 4 KiB that one drive serves in a second"
    )
    drive_latency_us: float = Field(
        ge=0, le=100_000, description="time until a drive answers a small read, in microseconds"
    )
    pcie: FileName = Field(
        description="link from a switch to a GPU and to the CPU: an id of data/network.csv"
    )
    pcie_switches: int = Field(
        ge=1,
        le=64,
        description="PCIe switches of a node, each with one such link to the CPUs and at least "
        "one to a GPU",
    )
    memory_gb_s: float = Field(
        gt=0,
        le=10_000,
        description="bandwidth of a node's host memory, reads and writes together, in GB/s; an "
        "assumption",
    )
    copy_gb_s: float = Field(
        gt=0,
        le=1000,
        description="what one core copies from memory to memory, in GB/s; an assumption",
    )


def _check_storage(storage: StorageSystem) -> StorageSystem:
    osts = storage.oss_count * storage.osts_per_oss
    if storage.stripe_count > osts:
        reason = (
            f"has stripe_count {storage.stripe_count} with {osts} OSTs (oss_count times "
            "osts_per_oss); allowed is at most as many stripes as OSTs"
        )
        raise _refusal(reason)
    return storage


def _check_loading(loading: Loading) -> Loading:
    if loading.gpus % loading.gpus_per_node:
        reason = (
            f"has {loading.gpus} gpus, which {loading.gpus_per_node} gpus_per_node do not divide"
        )
        raise _refusal(reason)
    return loading


class Resilience(Section):
    """Failures of the large training job, and how it recovers from them: pages 24 and 25."""

    days: float = Field(
        gt=0, le=3650, description="length of the run if nothing failed and nothing was saved, days"
    )
    failure_rate_x: float = Field(
        gt=0,
        le=1000,
        description="failures of a GPU and its share of the rest, as a multiple of those of the "
        "Llama 3 405B run (data/failures.csv)",
    )
    storage_gb_s: float = Field(
        gt=0,
        le=1_000_000,
        description="bandwidth of the storage that this job's checkpoints get, in GB/s, all nodes "
        "together",
    )
    snapshot_gb_s: float = Field(
        gt=0,
        le=10_000,
        description="bandwidth from each GPU to the memory of its host for a snapshot, in GB/s; an "
        "assumption, below what PCIe gives",
    )
    save_overhead_s: float = Field(
        ge=0,
        le=3600,
        description="what each save stops the job for beyond moving bytes, in seconds: agreeing, "
        "planning, serialising; an assumption after PyTorch's 6.3 s",
    )
    replica_gb_s: float = Field(
        gt=0,
        le=10_000,
        description="bandwidth from each node to the memory of another, in GB/s; an assumption: a "
        "part of the network",
    )
    replica_copies: int = Field(
        ge=2, le=8, description="copies of each state in memory, the node's own included"
    )
    replica_nodes: int = Field(
        ge=1,
        le=100_000,
        description="nodes that hold one data-parallel replica of the model; at most the job's",
    )
    watchdog_s: float = Field(
        ge=0,
        le=86_400,
        description="before: seconds until a failure is noticed, by a collective that times out",
    )
    detection_s: float = Field(
        ge=0,
        le=86_400,
        description="after: seconds until a failure is noticed, by heartbeats; an assumption",
    )
    manual_restart_min: float = Field(
        ge=0,
        le=10_080,
        description="before: minutes until people have found the cause and started the job again, "
        "mean; an assumption",
    )
    restart_s: float = Field(
        ge=0,
        le=86_400,
        description="after: seconds until the job is started again by itself, mean; an assumption",
    )
    replace_h: float = Field(
        ge=0,
        le=10_000,
        description="hours until a node that was taken out is replaced or repaired, mean; an "
        "assumption, the same before and after",
    )
    spare_pct: float = Field(
        ge=0,
        le=100,
        description="after: nodes that stand by, in % of the job's nodes, rounded up",
    )
    elastic_min_pct: float = Field(
        gt=0,
        le=100,
        description="after: the job goes on with at least this part of its data-parallel replicas, "
        "in %; 100: it waits for all nodes",
    )
    burst_pct: float = Field(
        ge=0,
        le=100,
        description="part of the failures with a lost node that take several nodes at once, in %; "
        "an assumption",
    )
    burst_nodes: int = Field(
        ge=1, le=64, description="how many nodes those take; at most the job's; an assumption"
    )
    deadline_slack_pct: float = Field(
        ge=0,
        le=1000,
        description="a job succeeds if it is done within its days and so many % more",
    )


class CloudOffer(Section):
    """GPUs that a cloud rents out."""

    cloud: Slug = Field(description="name of the cloud: a-z, 0-9 and - inside")
    kind: Literal["reserved", "on_demand", "spot"] = Field(
        description="reserved is paid for every hour, on_demand while used, spot may be taken away"
    )
    usd_per_gpu_h: float = Field(ge=0, le=10_000, description="price in US dollars")
    limit_gpus: int = Field(ge=0, le=1_000_000, description="the most that it rents out")
    preemptions_per_h: float = Field(
        ge=0, le=60, description="how often it takes a spot GPU away, per hour; 0 for other kinds"
    )


def _check_offer(offer: CloudOffer) -> CloudOffer:
    if offer.preemptions_per_h and offer.kind != "spot":
        reason = f"has preemptions_per_h {offer.preemptions_per_h:g} and is {offer.kind}"
        raise _refusal(reason)
    return offer


class Autoscaling(Section):
    """A service that follows its load: page 23; all but the day's profile are assumptions."""

    load: PathText | None = Field(
        description="requests over time: a .csv with the columns time (s) and qps, its path "
        "relative to this file, history first; null: a synthetic load from a measured day's profile"
    )
    peak_per_s: float = Field(
        gt=0,
        le=100_000,
        description="mean requests a second in the peak hour, of the synthetic load",
    )
    noise_pct: float | None = Field(
        ge=0,
        le=100,
        description="spread of a minute about its half hour, in %; null: as measured in the trace",
    )
    day_pct: float = Field(
        ge=0, le=100, description="spread of whole days about their mean, in %; an assumption"
    )
    bursts_per_day: float = Field(
        ge=0, le=100, description="surges that no history announces, in the stress test, per day"
    )
    burst_factor: float = Field(ge=1, le=100, description="load in a surge over what it would be")
    burst_min: int = Field(ge=1, le=1440, description="length of a surge, in minutes")
    history_days: int = Field(
        ge=2, le=60, description="days that only teach the forecast; it needs two seasons"
    )
    days: int = Field(ge=1, le=60, description="days that are counted, after the history")
    service_s: float = Field(gt=0, le=10_000, description="mean time of a request, in seconds")
    slots: int = Field(ge=1, le=1024, description="requests that a replica serves at once")
    gpus_per_replica: int = Field(ge=1, le=1024, description="GPUs of a replica")
    wait_s: float = Field(
        ge=0, le=10_000, description="objective: a request waits no longer than this, in seconds"
    )
    late_pct: float = Field(
        gt=0, lt=100, description="objective: share of the requests that may wait longer, in %"
    )
    provision_s: float = Field(
        ge=0, le=3600, description="cold start: a GPU is found and the pod placed, in seconds"
    )
    image_gib: float = Field(ge=0, le=1000, description="cold start: container image, in GiB")
    weights_gib: float = Field(ge=0, le=10_000, description="cold start: weights, in GiB")
    fetch_gib_s: float = Field(
        ge=0.01, le=1000, description="cold start: rate at which both are fetched, in GiB/s"
    )
    engine_s: float = Field(ge=0, le=3600, description="cold start: the engine starts, in seconds")
    attach_s: float = Field(
        ge=0,
        le=3600,
        description="start out of the warm pool, in seconds; a cold one if it is less",
    )
    warm_pool: int = Field(ge=0, le=1000, description="replicas kept loaded and idle")
    min_replicas: int = Field(ge=0, le=10_000, description="fewest replicas in service")
    max_replicas: int = Field(
        ge=1, le=10_000, description="most replicas in service; times slots at most 50000"
    )
    target_pct: float = Field(
        gt=0, le=100, description="reactive rule: share of the slots that it keeps busy, in %"
    )
    tolerance_pct: float = Field(
        ge=0, lt=100, description="reactive rule: deviation from the target that changes nothing, %"
    )
    window_s: float = Field(
        ge=0, le=86_400, description="reactive rule: stabilisation before scaling down, in seconds"
    )
    z: float = Field(
        ge=0, le=20, description="predictive rule: standard errors added to the forecast"
    )
    lead_s: float | None = Field(
        ge=0,
        le=43_200,
        description="predictive rule: how far ahead it looks, in seconds; null: a cold start",
    )
    offers: tuple[Annotated[CloudOffer, AfterValidator(_check_offer)], ...] = Field(
        strict=False,
        min_length=1,
        max_length=12,
        description="what the clouds rent out: prices of March 2026 where data/prices.csv has them",
    )
    stall_s: float = Field(
        ge=0, le=86_400, description="spot: time to save what a GPU works on, in seconds"
    )
    spot_share_pct: float = Field(
        ge=0,
        le=100,
        description="spot: largest share of an hour's demand that may rest on it, in %",
    )


def _check_autoscaling(section: Autoscaling) -> Autoscaling:
    if section.min_replicas > section.max_replicas:
        reason = (
            f"has min_replicas {section.min_replicas} above max_replicas {section.max_replicas}"
        )
        raise _refusal(reason)
    if section.max_replicas * section.slots > 50_000:
        reason = f"has {section.max_replicas * section.slots} slots at most, and 50000 are allowed"
        raise _refusal(reason)
    if all(offer.kind != "on_demand" for offer in section.offers):
        reason = "has no on_demand offer, which the mix is compared with"
        raise _refusal(reason)
    return section


class Tenant(Section):
    """One user of the shared fleet."""

    id: Slug = Field(description="short name, one of its kind")
    title: Bilingual = Field(description="name on the pages")
    workload: Literal["inference", "training", "notebook"] = Field(
        description="what the tenant runs"
    )
    share: float = Field(
        gt=0, le=1, description="share of the demand for GPUs; the shares of all tenants sum to 1"
    )
    guaranteed_pct: float = Field(
        ge=0,
        le=100,
        description="GPUs that the tenant is guaranteed, in % of the fleet; at most 100 together",
    )
    weight: float = Field(
        gt=0, le=1000, description="weight with which GPUs beyond the guarantees are divided"
    )
    priority: int = Field(
        ge=-1000, le=1000, description="priority of the tenant's jobs; the higher goes first"
    )


def _check_tenants(tenants: tuple[Tenant, ...]) -> tuple[Tenant, ...]:
    ids = [tenant.id for tenant in tenants]
    twice = sorted({name for name in ids if ids.count(name) > 1})
    if twice:
        reason = f"has the id {twice[0]!r} twice"
        raise _refusal(reason)
    total = sum(tenant.share for tenant in tenants)
    if abs(total - 1) > SHARE_TOLERANCE:
        reason = f"has shares that sum to {total:.6g}"
        raise _refusal(reason)
    guaranteed_pct = sum(tenant.guaranteed_pct for tenant in tenants)
    if guaranteed_pct > 100 + SHARE_TOLERANCE:
        reason = f"guarantees {guaranteed_pct:.6g} % of the GPUs together"
        raise _refusal(reason)
    return tenants


class Scenario(Section):
    """A fleet, its demand and its tenants: all that the reader chooses; see docs/scenario.md."""

    id: Slug = Field(description="name of the export folder: a-z, 0-9 and - inside")
    title: Bilingual = Field(description="name on every page")
    date: Date = Field(description="date that the title page shows, YYYY-MM-DD")
    origin: Origin = Field(description="where the scenario's numbers come from; pages say so")
    fleet: Fleet = Field(description="the machines")
    cluster: ClusterSource = Field(description="the pods, and a trace where one is at hand")
    packing: Packing = Field(description="the packing experiment of page 10")
    runs: int = Field(
        ge=2,
        le=1000,
        description="simulated runs, each with a seed of its own, behind a 95 % band; packing has "
        "its own orders",
    )
    sharing: Sharing = Field(description="one GPU shared by several tenants: pages 6 to 8")
    use: Annotated[Use, AfterValidator(_check_loss)] = Field(
        description="what pods use of what they ask for; synthetic unless origin says otherwise"
    )
    cost: Annotated[Cost, AfterValidator(_check_cost)] = Field(
        description="price of a GPU-hour, applied to all GPUs of the fleet"
    )
    right_sizing: RightSizing = Field(description="requests sized from use: page 8")
    fairness: Fairness = Field(description="borrowing and reclaim among tenants: page 13")
    queue: Queue = Field(description="the jobs that wait for whole GPUs: page 12")
    serving: Serving = Field(description="a language model in service: pages 11, 19, 20 and 22")
    training: Annotated[Training, AfterValidator(_check_training)] = Field(
        description="a large model in training: pages 15, 18, 21, 24 and 25"
    )
    loading: Annotated[Loading, AfterValidator(_check_loading)] = Field(
        description="what a data-hungry training job reads: page 18"
    )
    storage: Annotated[StorageSystem, AfterValidator(_check_storage)] = Field(
        description="the parallel file system and the drives of its nodes: pages 16 to 18"
    )
    resilience: Resilience = Field(
        description="failures of that job, and how it recovers: pages 24 and 25"
    )
    autoscaling: Annotated[Autoscaling, AfterValidator(_check_autoscaling)] = Field(
        description="a service that follows its load: page 23"
    )
    tenants: Annotated[tuple[Tenant, ...], AfterValidator(_check_tenants)] = Field(
        strict=False,
        min_length=1,
        max_length=20,
        description="who shares the fleet; synthetic unless origin says otherwise",
    )

    def cluster_tables(self, seed: int = 0) -> Cluster:
        """Return the nodes and pods of the scenario (see `gpudeck.scenario.cluster`).

        Parameters
        ----------
        seed : int
            Chooses which nodes of a type stay when the fleet is smaller than the trace.

        Raises
        ------
        InputError
            When the trace or a table is missing, truncated or wrong.
        """
        return build_cluster(self, seed)

    def to_yaml(self) -> str:
        """Return the scenario as commented YAML that `read_scenario` reads back to an equal one."""
        return write_yaml(self)
