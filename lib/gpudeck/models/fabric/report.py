"""The facts of page 15: what the fabric's studies say, each number with its source."""

from __future__ import annotations

from collections.abc import Sequence

from gpudeck.fact import Fact, function_name, mean_fact
from gpudeck.hardware.gpu import find_gpu
from gpudeck.models.fabric.congestion import HashedLoad, go_back_n_share, hash_flows
from gpudeck.models.fabric.job import read_job
from gpudeck.models.fabric.loss import LossStudy, study_loss
from gpudeck.models.fabric.node_lines import OPERATIONS
from gpudeck.models.fabric.protocol import cores_busy, find_transport, packet_share
from gpudeck.models.fabric.study import (
    FabricGrid,
    MessageStudy,
    NodeStudy,
    RatioStudy,
    ScaleStudy,
    TransportStudy,
    compare_transports,
    fabric_grid,
    study_messages,
    study_nodes,
    study_ratios,
    study_scale,
)
from gpudeck.models.fabric.topology import (
    DRAWN_K,
    Topology,
    count_fat_tree,
    count_hops,
    count_parts,
    drawn_rails,
    smallest_fat_tree,
)
from gpudeck.tables import read_table
from gpudeck.workload.model import find_model

MODEL = "model:fabric"


def report_transports(study: TransportStudy) -> tuple[Fact, ...]:
    """Return the time of one sync on each transport, its range, and what the job is.

    Parameters
    ----------
    study : TransportStudy
        From `compare_transports`.

    Returns
    -------
    tuple of Fact
        `<transport>`, `<transport>_low`, `<transport>_high` (s), `slowdown` (TCP over InfiniBand,
        x), `cores` (CPU cores that TCP would need at InfiniBand's speed, a node), and the job:
        `model`, `gpu`, `link`, `gpus`, `nodes`, `gpus_per_node`, `gradient` (GB a GPU).
    """
    by, job = function_name(compare_transports), study.job
    facts = []
    for name, time in study.sync_s.items():
        for suffix, value in (("", time.value), ("_low", time.low), ("_high", time.high)):
            facts.append(_computed(f"{name}{suffix}", value, "s", by))
    fast = study.sync_s["infiniband"].value
    slowdown = study.sync_s["tcp"].value / fast if fast else 1.0
    speed_gb_s = find_transport("infiniband").efficiency * job.port_gb_s * job.gpus_per_node
    cores = float(cores_busy(find_transport("tcp"), speed_gb_s))
    facts += [
        _computed("slowdown", slowdown, "x", by, decimals=1),
        _computed("cores", cores, "count", function_name(cores_busy), decimals=0),
        _computed("gradient", job.gradient_bytes * 1e-9, "GB", by),
        _scenario("model", find_model(job.model).title, "text"),
        _scenario("gpu", find_gpu(job.gpu).id, "text"),
        _scenario("link", job.link, "text"),
        _scenario("gpus", job.gpus, "GPU"),
        _scenario("nodes", job.nodes, "node"),
        _scenario("ranks", job.ranks, "GPU"),
        _scenario("gpus_per_node", job.gpus_per_node, "GPU"),
        _row_fact("core_rate", "transport", "tcp", "core_gbit_s"),
        _assumed("cores_per_port", "tcp", "cores_per_port"),
        _row_fact("card", "transport", "infiniband", "efficiency"),
    ]
    return tuple(facts)


def report_messages(study: MessageStudy) -> tuple[Fact, ...]:
    """Return latency, attained bandwidth and CPU cores of each transport.

    Facts `<transport>_us`, `<transport>_gb_s`, `<transport>_cores` (at its full speed), `port`,
    `<transport>_packet`, `edr_us` and `hdr_us` (what InfiniBand's vendor states).
    """
    by = function_name(study_messages)
    facts = [_computed("port", study.port_gb_s, "GB/s", by, decimals=0)]
    for name, cores in study.cores.items():
        transport = find_transport(name)
        facts += [
            _row_fact(f"{name}_us", "transport", name, "latency_us"),
            _computed(f"{name}_gb_s", study.goodput_gb_s[name].value, "GB/s", by, decimals=0),
            _computed(f"{name}_cores", cores, "count", by, decimals=1),
            _computed(
                f"{name}_packet",
                100 * packet_share(transport),
                "%",
                function_name(packet_share),
                decimals=1,
            ),
        ]
    line_rate = float(cores_busy(find_transport("tcp"), study.goodput_gb_s["infiniband"].value))
    facts.append(_computed("line_cores", line_rate, "count", function_name(cores_busy), decimals=0))
    facts.append(_row_fact("core_rate", "transport", "tcp", "core_gbit_s"))
    facts.append(_row_fact("cycles", "transport", "tcp", "cycles_per_byte"))
    for name, link in (("edr_us", "IB-EDR"), ("hdr_us", "IB-HDR")):
        facts.append(_row_fact(name, "network", link, "latency_us"))
    return tuple(facts)


def report_fat_tree(topology: Topology, job_gpus: int) -> tuple[Fact, ...]:
    """Return what the drawn fat tree consists of, a large one, and the one that the job needs.

    Facts `hosts`, `switches`, `links`, `bisection`, `hops` of the drawn one, counted on its graph;
    `k`; `large_hosts`, `large_switches` of the published example; `job_k`, `job_hosts`,
    `job_switches` of the smallest one with a host for each GPU.
    """
    by, counts = function_name(count_parts), count_parts(topology)
    hosts = topology.of_kind("host")
    needed, tree = smallest_fat_tree(job_gpus), function_name(smallest_fat_tree)
    counted = count_fat_tree(needed)
    large = count_fat_tree(48)
    return (
        _computed("k", DRAWN_K, "count", by),
        _computed("hosts", counts.hosts, "count", by),
        _computed("switches", counts.switches, "count", by),
        _computed("links", counts.links, "count", by),
        _computed("bisection", counts.bisection, "count", by),
        _computed(
            "hops", count_hops(topology, hosts[0], hosts[-1]), "count", function_name(count_hops)
        ),
        _computed("large_hosts", float(large.hosts), "count", function_name(count_fat_tree)),
        _computed("large_switches", large.switches, "count", function_name(count_fat_tree)),
        _row_fact("published_hosts", "published/fabric", "hosts@fat-tree-48", "target"),
        _scenario("job_gpus", job_gpus, "GPU"),
        _computed("job_k", needed, "count", tree),
        _computed("job_switches", float(counted.switches), "count", tree),
        _computed("job_hosts", float(counted.hosts), "count", tree),
    )


def report_rail(optimised: Topology) -> tuple[Fact, ...]:
    """Return the switches on the way between GPUs of one rail and of two, and the cost saved.

    Facts `same_rail`, `other_rail` (switches), `rails`, `switches`, `switches_rail_only`;
    `cost_low`, `cost_high`, `power_low`, `power_high`, `moe_low`, `moe_high` as published.
    """
    by = function_name(count_hops)
    gpus = optimised.of_kind("gpu")
    first, last = gpus[0], gpus[-1]
    rails = len(optimised.of_kind("leaf"))
    rail_only = drawn_rails(rails, spines=0)
    fellow = f"gpu-{last.split('-')[1]}-0"
    count = function_name(count_parts)
    facts = [
        _computed("same_rail", count_hops(optimised, first, fellow), "count", by),
        _computed("other_rail", spine_path_hops(optimised, first, last), "count", by),
        _computed("rails", rails, "count", count),
        _computed("drawn_gpus", len(gpus), "GPU", count),
        _computed("switches", count_parts(optimised).switches, "count", count),
        _computed("switches_rail_only", count_parts(rail_only).switches, "count", count),
    ]
    for name, attribute in (
        ("cost", "cost_cut"),
        ("power", "power_cut"),
        ("moe", "moe_all_to_all_overhead"),
    ):
        row = read_table("network").row("Rail-only", attribute)
        for end, value in (("low", row.low), ("high", row.high)):
            assert value is not None
            facts.append(
                Fact(
                    f"{name}_{end}",
                    value,
                    row.unit,
                    row.kind,
                    row.sources[0],
                    function_name(read_table),
                    decimals=0 if name != "moe" else 1,
                )
            )
    return tuple(facts)


def spine_path_hops(topology: Topology, source: str, target: str) -> int:
    """Count the switches between GPUs of two rails when NVLink is not used.

    The leaf of the source, a spine, the leaf of the target; on a rail-only network there is no way.
    """
    bare = Topology(topology.name, topology.graph.copy())
    bare.graph.remove_nodes_from(topology.of_kind("nvswitch"))
    return count_hops(bare, source, target)


def report_roce(study: LossStudy) -> tuple[Fact, ...]:
    """Return a packet's header and data, the goodput at a loss, and Meta's measured gain.

    Facts `header`, `payload` (bytes), `packet` (data, %), `gbn_large`, `loss_large` (%), `window`.
    """
    kept = {"gbn_large", "loss_large", "window"}
    transport = find_transport("rocev2")
    by = function_name(packet_share)
    return (
        *(fact for fact in report_loss(study) if fact.key in kept),
        _row_fact("header", "transport", "rocev2", "header_bytes"),
        _row_fact("payload", "transport", "rocev2", "payload_bytes"),
        _computed("packet", 100 * packet_share(transport), "%", by, decimals=1),
    )


def report_loss(study: LossStudy) -> tuple[Fact, ...]:
    """Return what loss and hashing cost: shares of the bandwidth, in %.

    Facts `gbn_<loss>`, `repeat_<loss>` for a loss of `small` and `large` %, `window` (packets);
    `ecmp_one`, `ecmp_many`, `ecmp_under` (mean with 95 % interval), `connections`, `flows`,
    `links`; `meta_gain` as published.
    """
    by, window = function_name(study_loss), study.window
    facts = [
        _computed("window", window, "count", by, decimals=0),
        _computed("round_trip", study.round_trip_us, "us", by, decimals=0),
        _computed("flows", study.equal.flows, "count", by),
        _computed("links", study.equal.links, "count", by),
        _computed("under_links", study.under.links, "count", by),
        _computed("connections", max(study.equal.share), "count", by),
    ]
    for name, loss in (("small", 1e-3), ("large", 1e-2)):
        share = 100 * float(go_back_n_share(loss, window))
        facts += [
            _computed(f"gbn_{name}", share, "%", function_name(go_back_n_share), decimals=0),
            _computed(f"loss_{name}", 100 * loss, "%", by, decimals=1 if loss < 0.01 else 0),
        ]
    for name, load, count in (
        ("ecmp_one", study.equal, 1),
        ("ecmp_many", study.equal, max(study.equal.share)),
        ("ecmp_under", study.under, 1),
    ):
        facts.append(_hashed(name, load, count))
    facts.append(_row_fact("meta_gain", "network", "Meta-RoCE", "allreduce_gain_up_to"))
    return tuple(facts)


def report_nodes(nodes: NodeStudy, scale: ScaleStudy) -> tuple[Fact, ...]:
    """Return the bus bandwidth of eight GPUs, and how an all-reduce grows with the cluster.

    Facts `bus_<gpu>` (GB/s, largest buffer), `bus_512_<gpu>` as published; `small_first`,
    `small_last` (µs, the smallest buffer), `large_first`, `large_last` (ms, the third buffer),
    `most_gpus`, `measured` (GB/s) and its source.
    """
    by, grown = function_name(study_nodes), function_name(study_scale)
    facts = [
        _computed(f"bus_{gpu.split('-')[0].lower()}", float(bus[-1]), "GB/s", by, decimals=0)
        for gpu, bus in nodes.bus_gb_s.items()
    ]
    attribute = "allreduce_busbw_512mib_gb_s"
    facts += [
        _row_fact(f"published_{name.lower()}", "network", f"NCCL-8x{name}", attribute)
        for name in ("A100", "H100", "H200", "B200")
    ]
    sizes = list(scale.time_s)
    small, large = scale.time_s[sizes[0]], scale.time_s[sizes[2]]
    facts += [
        _computed("small_first", 1e6 * float(small[0]), "us", grown, decimals=0),
        _computed("small_last", 1e6 * float(small[-1]), "us", grown, decimals=0),
        _computed("large_first", 1e3 * float(large[0]), "ms", grown),
        _computed("large_last", 1e3 * float(large[-1]), "ms", grown),
        _computed("small_growth", float(small[-1] / small[0]), "x", grown),
        _computed("large_growth", float(large[-1] / large[0]), "x", grown),
        _computed("first_gpus", scale.gpus[0], "GPU", grown),
        _computed("most_gpus", float(scale.gpus[-1]), "GPU", grown),
        _row_fact("measured", "published/fabric", "busbw@h100-32-ndr", "target"),
    ]
    return tuple(facts)


def report_choices(scale: ScaleStudy) -> tuple[Fact, ...]:
    """Return how many combinations the map holds, and the hops of NCCL's table."""
    names = {name for row in scale.best for name in row}
    return (
        _computed("chosen", len(names), "count", function_name(study_scale)),
        _row_fact("hop_ll", "network", "NCCL-ring", "network_latency_ll_us"),
        _row_fact("hop_tree", "network", "NCCL-tree", "network_latency_ll_us"),
        _row_fact("hop_simple", "network", "NCCL-ring", "network_latency_simple_us"),
    )


def report_ratios(study: RatioStudy) -> tuple[Fact, ...]:
    """Return what oversubscription costs a sync at the ratio that Llama 3's network has.

    Facts `full` (s), `flat`, `split` (s at that ratio), `flat_x`, `split_x`, `pods`; `ratio`,
    `pod_gpus`, `cluster_gpus` as published.
    """
    by = function_name(study_ratios)
    ratio = read_table("network").row("Llama-3-cluster", "pod_oversubscription").number
    at = int(abs(study.ratio - ratio).argmin())
    full = float(study.flat_s[0])
    flat, split = float(study.flat_s[at]), float(study.pods_s[at])
    return (
        _computed("full", full, "s", by),
        _computed("flat", flat, "s", by),
        _computed("split", split, "s", by),
        _computed("flat_x", flat / full if full else 1.0, "x", by),
        _computed("split_x", split / full if full else 1.0, "x", by),
        _computed("pods", study.pods, "count", by),
        _row_fact("ratio", "network", "Llama-3-cluster", "pod_oversubscription"),
        _row_fact("pod_gpus", "network", "Llama-3-cluster", "pod_gpus"),
        _row_fact("cluster_gpus", "network", "Llama-3-cluster", "cluster_gpus"),
    )


def report_fit(gpus: Sequence[str] = ("A100-80G-SXM", "H100-SXM")) -> tuple[Fact, ...]:
    """Return the residuals of NCCL's lines in %, as the fit found them.

    Facts `<a100|h100>_<row>_<median|worst>`: the rows are the operations on eight GPUs, and of the
    all-reduce `counts` (2, 4 and 8 GPUs), `sizes` (sizes left out of a fit) and, on H100, `version`
    (another NCCL than the fitted one).
    """
    facts = []
    for gpu in gpus:
        rows: dict[str, tuple[str, str]] = {name: (name, "error_8_gpus") for name in OPERATIONS}
        rows |= {"counts": ("all_reduce", "error"), "sizes": ("all_reduce", "unseen_error")}
        if "H100" in gpu:
            rows["version"] = ("all_reduce", "error_nccl_2_29_2")
        for name, (operation, attribute) in rows.items():
            for told in ("median", "worst"):
                key = f"{gpu.split('-')[0].lower()}_{name}_{told}"
                row_id = f"{gpu}/{operation}"
                facts.append(_row_fact(key, "nccl_fit", row_id, f"{attribute}_{told}", decimals=1))
    return tuple(facts)


def report_grid(grid: FabricGrid) -> tuple[Fact, ...]:
    """Return the bus bandwidth at a small and a large buffer where the explorer starts.

    Facts `slow_small`, `fast_small`, `slow_large`, `fast_large` (GB/s; TCP and InfiniBand).
    """
    by = function_name(fabric_grid)
    cell = grid.bus_gb_s[start_cell(grid)]
    slow, fast = (grid.transports.index(name) for name in ("tcp", "infiniband"))
    small = int(abs(grid.size_bytes - 2.0**20).argmin())
    return tuple(
        _computed(name, float(cell[row, at]), "GB/s", by)
        for name, row, at in (
            ("slow_small", slow, small),
            ("fast_small", fast, small),
            ("slow_large", slow, -1),
            ("fast_large", fast, -1),
        )
    )


def start_cell(grid: FabricGrid) -> tuple[int, str, float]:
    """Return the cell at which the explorer starts: the middle size, the third link, no ratio."""
    return grid.gpus[len(grid.gpus) // 2], grid.links[min(2, len(grid.links) - 1)], grid.ratios[0]


def _hashed(name: str, load: HashedLoad, count: int) -> Fact:
    samples = 100 * load.share[count]
    return mean_fact(name, samples, "%", MODEL, function_name(hash_flows), decimals=0)


def _computed(key: str, value: float, unit: str, by: str, *, decimals: int | None = None) -> Fact:
    whole = isinstance(value, int) and decimals is None
    return Fact(key, value, unit, "computed", MODEL, by, decimals=0 if whole else decimals)


def _scenario(key: str, value: float | str, unit: str) -> Fact:
    decimals = None if isinstance(value, str) else 0
    return Fact(key, value, unit, "scenario", MODEL, function_name(read_job), decimals=decimals)


def _assumed(key: str, row_id: str, attribute: str) -> Fact:
    """Return an assumption of this model: its range is in the table, and no source has it."""
    row = read_table("transport").row(row_id, attribute)
    return _computed(key, row.number, row.unit, function_name(find_transport))


def _row_fact(
    key: str, table: str, row_id: str, attribute: str, *, decimals: int | None = None
) -> Fact:
    row = read_table(table).row(row_id, attribute)
    by = function_name(read_table)
    return Fact(key, row.number, row.unit, row.kind, row.sources[0], by, decimals=decimals)
