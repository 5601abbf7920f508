"""The diagrams of page 24: a save second by second, the parts that recover, and the strategies."""

from __future__ import annotations

from functools import partial

from gpudeck.figures.architecture import Block, Group, architecture
from gpudeck.figures.caption import Captioned, describe
from gpudeck.figures.flowchart import Step, flowchart
from gpudeck.figures.geometry import Box
from gpudeck.figures.routing import Edge
from gpudeck.figures.shapes import Canvas, Share
from gpudeck.figures.style import INK, SERIES, USEFUL, WASTE
from gpudeck.figures.timeline import Bar, Marker, timeline
from gpudeck.models.resilience.save_timeline import SavePhases, save_phases
from gpudeck.models.resilience.training_job import TrainingJob

# bytes on their way: neither work nor waste
MOVING = SERIES[3].colour
# training before the save, and after the longer of both, as shares of that
_LEAD, _TAIL = 0.35, 0.55


def draw_save(job: TrainingJob, page: Captioned) -> str:
    """Draw one save of the job, synchronous above and asynchronous below, on one clock.

    Parameters
    ----------
    job : TrainingJob
        From `plan_job`: its state and bandwidths give the phases.
    page : Captioned
        The page that shows it.
    """
    words = page.label
    synchronous, asynchronous = save_phases(job.path)
    whole_s = max(synchronous.complete_s, asynchronous.complete_s)
    start_s, end_s = _LEAD * whole_s, (_LEAD + 1 + _TAIL) * whole_s
    lanes = ["sync_gpu", "sync_storage", "async_gpu", "async_host", "async_storage"]
    bars = [
        *_gpu_bars(words("sync_gpu"), synchronous, start_s, end_s, page),
        *_gpu_bars(words("async_gpu"), asynchronous, start_s, end_s, page),
    ]
    moves = (
        ("sync_storage", synchronous.begin_s, synchronous.complete_s, "write"),
        ("async_host", 0.0, asynchronous.snapshot_s, "snapshot"),
        ("async_storage", asynchronous.begin_s, asynchronous.complete_s, "background"),
    )
    bars += [
        Bar(words(lane), start_s + begin, start_s + end, words(text), MOVING)
        for lane, begin, end, text in moves
        if end > begin
    ]
    markers = [
        Marker(start_s, words("begin"), INK),
        Marker(start_s + asynchronous.stall_s, words("async_on"), USEFUL),
        Marker(start_s + synchronous.stall_s, words("sync_on"), WASTE),
    ]
    return timeline(
        [words(lane) for lane in lanes],
        bars,
        markers,
        **describe(page),
        unit=words("unit"),
        end=end_s,
    )


def _gpu_bars(
    lane: str, phases: SavePhases, start_s: float, end_s: float, page: Captioned
) -> list[Bar]:
    """Return training, the stall, and training again."""
    resumed_s = start_s + phases.stall_s
    bars = [Bar(lane, 0.0, start_s, page.label("train"))]
    if phases.stall_s > 0:
        bars.append(Bar(lane, start_s, resumed_s, page.label("stall"), WASTE))
    if resumed_s < end_s:
        bars.append(Bar(lane, resumed_s, end_s, page.label("train")))
    return bars


def draw_recovery_architecture(page: Captioned) -> str:
    """Draw who watches, who decides, and where the state lies: nodes, their memory, storage."""
    words = page.label
    blocks = [
        Block("storage", words("storage"), 0, 0, words("storage_detail"), rows=2, tone="quiet"),
        Block("watch", words("watch"), 1, 0, words("watch_detail")),
        Block("decide", words("decide"), 2, 0, words("decide_detail"), tone="useful"),
        Block("pool", words("pool"), 3, 0, words("pool_detail"), tone="waiting"),
        *(
            Block(
                name,
                words(f"node_{name}"),
                column,
                1,
                kind="node",
                tone="plain",
                content=partial(_draw_node, page=page, own=own, copy=copy),
            )
            for column, (name, own, copy) in enumerate(
                (("a", "A", "B"), ("b", "B", "A"), ("spare", "", "")), start=1
            )
        ),
    ]
    edges = [
        Edge("a", "watch", words("heartbeat"), exit="top", enter="bottom"),
        Edge("watch", "decide", words("failure"), colour=WASTE),
        Edge("decide", "pool", words("order")),
        Edge("decide", "b", words("restart"), exit="bottom", enter="top", colour=USEFUL),
        Edge("pool", "spare", words("join"), exit="bottom", enter="top"),
        Edge("a", "b", words("replica"), colour=MOVING, exit="right", enter="left", width_px=5),
        Edge("b", "spare", words("load"), colour=USEFUL, exit="right", enter="left", width_px=5),
        Edge("a", "storage", words("persist"), colour=MOVING, exit="left", enter="right"),
    ]
    groups = [
        Group(words("control"), ("watch", "decide", "pool")),
        Group(words("cluster"), ("a", "b", "spare")),
    ]
    return architecture(
        blocks,
        edges,
        groups,
        **describe(page),
        gutter_x_px=104,
        gutter_y_px=112,
        column_weights=(3, 4, 4, 4),
        row_weights=(4, 7),
    )


def _draw_node(canvas: Canvas, room: Box, page: Captioned, own: str, copy: str) -> None:
    """Draw a node's GPUs, and below them its host memory with its own state and a partner's."""
    gap = 6
    size = min((room.width - 3 * gap) / 4, (room.height - 56) / 2 - gap)
    for place in range(8):
        row, column = divmod(place, 4)
        x, y = room.x + column * (size + gap), room.y + row * (size + gap)
        canvas.gpu(x, y, size, [Share(1.0, USEFUL)] if own else [])
    top = room.bottom - 46
    half = (room.width - gap) / 2
    for place, (state, name) in enumerate(((own, "own"), (copy, "copy"))):
        box = Box(room.x + place * (half + gap), top, half, 44)
        filled = f"{page.label(name)} {state}" if state else page.label("empty")
        canvas.rect(box, "#E8F4FB" if state else "none", MOVING, radius_px=4, dashed=not state)
        canvas.paragraph(box.grown(-3), filled, 16)


def draw_recovery_flow(page: Captioned) -> str:
    """Draw how a job goes on after a failure: in place, on a spare, smaller, or later."""
    words = page.label
    steps = [
        Step("start", words("start"), 0, 0, "start"),
        Step("lost", words("lost"), 1, 0, "decision"),
        Step("spare", words("spare"), 2, 0, "decision"),
        Step("enough", words("enough"), 3, 0, "decision"),
        Step("same", words("same"), 1, 1),
        Step("replace", words("replace"), 2, 1, tone="useful"),
        Step("shrink", words("shrink"), 3, 1, tone="useful"),
        Step("wait", words("wait"), 4, 1, tone="waste"),
        Step("relaunch", words("relaunch"), 1, 2, columns=4),
        Step("copy", words("copy"), 1, 3, "decision"),
        Step("memory", words("memory"), 2, 3, tone="useful"),
        Step("redo", words("redo"), 3, 3),
        Step("end", words("end"), 4, 3, "end"),
        Step("storage", words("storage"), 1, 4, tone="waiting"),
    ]
    edges = [
        _across("start", "lost"),
        _across("lost", "spare", words("yes")),
        _down("lost", "same", words("no")),
        _across("spare", "enough", words("no")),
        _down("spare", "replace", words("yes")),
        Edge("enough", "wait", words("no"), exit="right", enter="top"),
        _down("enough", "shrink", words("yes")),
        *(_down(way, "relaunch") for way in ("same", "replace", "shrink", "wait")),
        _down("relaunch", "copy"),
        _across("copy", "memory", words("yes")),
        _down("copy", "storage", words("no")),
        _across("memory", "redo"),
        Edge("storage", "redo", exit="right", enter="bottom"),
        _across("redo", "end"),
    ]
    return flowchart(
        steps,
        edges,
        **describe(page),
        gutter_x_px=56,
        gutter_y_px=30,
        column_weights=(3, 5, 5, 5, 4),
        row_weights=(50, 28, 22, 50, 26),
    )


def _across(source: str, target: str, text: str = "") -> Edge:
    return Edge(source, target, text, exit="right", enter="left")


def _down(source: str, target: str, text: str = "") -> Edge:
    return Edge(source, target, text, exit="bottom", enter="top")
