"""The outline: which page stands where. The words of the pages are in `notebooks/text`."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path

from gpudeck.errors import InputError

NOTEBOOKS = Path(__file__).resolve().parents[3] / "notebooks"

# section notebook → stage of the journey (0: before, between or after the stages) and its pages
_OUTLINE: dict[str, tuple[int, tuple[str, ...]]] = {
    "01_opening": (0, ("title", "challenge", "roadmap")),
    "02_baseline": (0, ("bare-metal", "root-causes")),
    "03_sharing": (1, ("mig", "vgpu", "right-sizing", "stage1-effect")),
    "04_orchestration": (
        2,
        ("binpack", "dynamic-batching", "cluster-scheduling", "fairness", "stage2-effect"),
    ),
    "05_data": (3, ("rdma", "parallel-fs", "gpudirect-storage", "stage3-effect")),
    "06_software": (4, ("llm-stack", "inference-tuning", "training", "stage4-effect")),
    "07_resilience": (5, ("autoscaling", "fault-tolerance", "stage5-effect")),
    "08_strategy": (6, ("day-night", "geo", "stage6-effect")),
    "09_summary": (0, ("results", "value", "outlook")),
}


@dataclass(frozen=True)
class PageEntry:
    """Where a page stands: its number (None for the appendix), id, section and stage."""

    number: int | None
    id: str
    section: str
    stage: int


def _number_pages() -> tuple[PageEntry, ...]:
    entries: list[PageEntry] = []
    for section, (stage, ids) in _OUTLINE.items():
        for page_id in ids:
            entries.append(PageEntry(len(entries) + 1, page_id, section, stage))
    return tuple(entries)


PAGES = _number_pages()
APPENDIX = PageEntry(None, "appendix", "10_validation", 0)
SECTIONS = (*_OUTLINE, APPENDIX.section)
STAGES = 6


def find_page(name: str | int) -> PageEntry:
    """Return the entry of a page by its number or id.

    Raises
    ------
    InputError
        When there is no such page; the message names the nearest ids.

    Examples
    --------
    >>> find_page(10).id
    'binpack'
    >>> find_page("binpack").number
    10
    """
    for entry in (*PAGES, APPENDIX):
        if name in (entry.id, entry.number) or str(name) == str(entry.number or entry.id):
            return entry
    near = difflib.get_close_matches(str(name), [entry.id for entry in (*PAGES, APPENDIX)])
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    msg = f"page {name!r} is unknown: allowed are 1 to {len(PAGES)}, a page's id, or appendix{hint}"
    raise InputError(msg)
