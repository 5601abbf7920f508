"""Builds the deck: runs the section notebooks side by side, then writes every format at once."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from gpudeck import __version__
from gpudeck.deck import notebook as nb_tools
from gpudeck.deck.child import Message, Pool, can_fork, ended_by_sigterm
from gpudeck.deck.engine import code_cells, preload
from gpudeck.deck.outline import NOTEBOOKS, PAGES, find_page
from gpudeck.deck.publish import HTML, NOTEBOOK, PDF, Order, Publisher, publish
from gpudeck.deck.section import Section
from gpudeck.deck.staging import stage
from gpudeck.errors import BuildError
from gpudeck.scenario import Scenario

if TYPE_CHECKING:
    from nbformat import NotebookNode
    from rich.console import Console

EXPORT = NOTEBOOKS.parent / "export"
FACTS, SCENARIO = "facts.json", "scenario.yaml"
SHOW = ("rise.css", "fonts/deck400.woff2", "fonts/deck700.woff2")

Report = Callable[[str, int], None]  # section or file, steps done since the last report


@dataclass(frozen=True)
class BuiltDeck:
    """Where one language's deck was written; `pdf` is None when there is no Chromium."""

    lang: str
    folder: Path
    html: Path
    pdf: Path | None
    notebook: Path
    facts: Path
    seconds: float
    warnings: tuple[str, ...]


def build_deck(
    scenario: Scenario,
    langs: Sequence[str],
    *,
    seed: int = 0,
    out: Path | None = None,
    pages: Sequence[int | str] | None = None,
    pdf: bool = True,
    plain: bool = False,
    progress: Console | None = None,
) -> list[BuiltDeck]:
    """Build the deck of a scenario, for each language in a folder of its own.

    Parameters
    ----------
    scenario : Scenario
        What to compute.
    langs : sequence of str
        "zh", "en" or both.
    seed : int
        Seed of every simulation.
    out : Path, optional
        Holds a folder for each language; without it `export/<scenario id>`.
    pages : sequence of int or str, optional
        Pages to keep, by number or id, with their details; without it all.
    pdf : bool
        Whether to print the PDF too.
    plain : bool
        Whether to run every notebook in a kernel of its own, one after another.
    progress : Console, optional
        Where to draw a progress bar for each section.

    Returns
    -------
    list of BuiltDeck
        One for each language.

    Raises
    ------
    InputError
        When a page is unknown, the output folder cannot be written, or a notebook finds a mistake
        in the scenario.
    BuildError
        When a notebook or an export fails: what was in the output folder before is still there.
    """
    chosen = None if pages is None else [find_page(page) for page in pages]
    wanted = nb_tools.read_sections()
    if chosen is not None:
        wanted = {name: nb for name, nb in wanted.items() if name in {p.section for p in chosen}}
    plan = _Plan(
        scenario, tuple(langs), seed, wanted, None if chosen is None else [p.id for p in chosen]
    )
    root = out or EXPORT / scenario.id
    started_s = time.monotonic()
    with ended_by_sigterm(), _bars(plan, progress, pdf=pdf) as report:
        with stage(root, plan.langs) as folders:
            warnings = _build(plan, folders, report, pdf=pdf, fork=can_fork() and not plain)
    for lang in plan.langs:
        nb_tools.sign(root / lang / NOTEBOOK)
    seconds = time.monotonic() - started_s
    return [_describe(root / lang, lang, seconds, warnings) for lang in plan.langs]


@dataclass(frozen=True)
class _Plan:
    scenario: Scenario
    langs: tuple[str, ...]
    seed: int
    sections: dict[str, NotebookNode]
    pages: list[str] | None


def _build(
    plan: _Plan, folders: dict[str, Path], report: Report, *, pdf: bool, fork: bool
) -> list[str]:
    """Run and write everything into the staging folders; return the warnings."""
    warnings: list[str] = []
    ready: list[Order] = []

    def hear(message: Message) -> None:
        if "warning" in message:
            warnings.append(message["warning"])
        else:
            report(message["wrote"], 1)

    with contextlib.ExitStack() as stack:
        publisher = Publisher(pdf=pdf) if fork else None
        if publisher is not None:
            stack.callback(publisher.stop)
            sources = (cell.source for nb in plan.sections.values() for cell in nb.cells)
            preload(sources)
        pool = stack.enter_context(Pool(len(os.sched_getaffinity(0)) if fork else 1, fork=fork))
        give = publisher.ask if publisher is not None else ready.append
        for lang in plan.langs:
            _queue_language(plan, lang, folders[lang], pool, report, give, warnings)
        pool.run()
        if publisher is not None:
            for message in publisher.finish():
                hear(message)
        else:
            publish(ready, hear, pdf=pdf)
    return warnings


def _queue_language(
    plan: _Plan,
    lang: str,
    folder: Path,
    pool: Pool,
    report: Report,
    give: Callable[[Order], None],
    warnings: list[str],
) -> None:
    """Queue the sections of one language; the last to end merges them and orders the export."""
    _fill_folder(plan, folder)
    values: dict[str, str | int] = {"scenario": SCENARIO, "lang": lang, "seed": plan.seed}
    sections = [
        Section(name, nb_tools.set_parameters(notebook, values))
        for name, notebook in plan.sections.items()
    ]
    waiting = {section.name for section in sections}

    def end(section: Section) -> None:
        waiting.discard(section.name)
        if not waiting:
            give(_write_notebook(plan, lang, folder, sections, warnings))

    for section in sections:
        pool.submit(
            section.path,
            partial(section.run, folder, fork=pool.fork),
            partial(_hear, section, report),
            partial(end, section),
            weight=section.weight,
        )


def _hear(section: Section, report: Report, message: Message) -> None:
    section.store(message)
    if "count" in message:
        report(section.name, 1)


def _fill_folder(plan: _Plan, folder: Path) -> None:
    nb_tools.write(folder / SCENARIO, plan.scenario.to_yaml())
    try:
        (folder / "fonts").mkdir()
        for name in SHOW:
            shutil.copyfile(NOTEBOOKS / name, folder / name)
    except OSError as error:
        msg = f"{folder} cannot be written: {error.strerror}; the previous export is unchanged"
        raise BuildError(msg) from None


def _write_notebook(
    plan: _Plan, lang: str, folder: Path, sections: list[Section], warnings: list[str]
) -> Order:
    for section in sections:
        warnings += [f"{lang}: {text}" for text in section.complaints()]
    merged = nb_tools.merge({section.name: section.notebook for section in sections})
    nb_tools.stamp(merged)
    if plan.pages is not None:
        merged = nb_tools.keep_pages(merged, plan.pages)
    records = nb_tools.records(merged)
    shown = {record["page"] for record in records}
    if missing := [page for page in plan.pages or [p.id for p in PAGES] if page not in shown]:
        msg = f"no notebook shows page {', '.join(missing)}"
        raise BuildError(msg)
    title = f"{records[0]['headline']} — {plan.scenario.title.in_language(lang)}"
    merged.metadata.title = title
    text = nb_tools.to_text(merged)
    nb_tools.write(folder / NOTEBOOK, text)
    nb_tools.write(folder / FACTS, _facts_text(plan, lang, records))
    return Order(lang, str(folder), title)


def _facts_text(plan: _Plan, lang: str, records: list[dict[str, Any]]) -> str:
    keys = ("page", "number", "detail", "title", "headline", "pending", "facts")
    place = {page.id: page.number or 0 for page in PAGES}
    rows = [{key: record[key] for key in keys} for record in records]
    rows.sort(key=lambda row: place.get(row["page"], len(PAGES) + 1))  # stable: details stay below
    head = {"scenario": plan.scenario.id, "lang": lang, "seed": plan.seed, "version": __version__}
    return json.dumps({**head, "pages": rows}, ensure_ascii=False, indent=1) + "\n"


def _describe(folder: Path, lang: str, seconds: float, warnings: list[str]) -> BuiltDeck:
    pdf = folder / PDF
    return BuiltDeck(
        lang=lang,
        folder=folder,
        html=folder / HTML,
        pdf=pdf if pdf.exists() else None,
        notebook=folder / NOTEBOOK,
        facts=folder / FACTS,
        seconds=seconds,
        warnings=tuple(warnings),
    )


@contextlib.contextmanager
def _bars(plan: _Plan, console: Console | None, *, pdf: bool) -> Iterator[Report]:
    if console is None:
        yield lambda name, steps: None
        return
    columns = (TextColumn("{task.description:<18}"), BarColumn(), MofNCompleteColumn())
    # rich refreshes from a thread of its own unless told not to, and a fork wants no threads
    with Progress(*columns, console=console, auto_refresh=False) as bars:
        tasks = {
            name: bars.add_task(name, total=len(code_cells(notebook)) * len(plan.langs))
            for name, notebook in plan.sections.items()
        }
        for name in (HTML, PDF) if pdf else (HTML,):
            tasks[name] = bars.add_task(name, total=len(plan.langs))

        def report(name: str, steps: int) -> None:
            bars.advance(tasks[name], steps)
            bars.refresh()

        yield report
