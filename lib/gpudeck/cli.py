"""The command line: each command checks its arguments, calls the library, and prints.

Exit status 0 when all is well, 1 for a failed build or check, 2 for the user's mistakes, 130 after
Ctrl-C; then one line on standard error says what is wrong. Commands import what they use when they
run, so that --help comes at once.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
import traceback
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.exceptions import TyperException

from gpudeck.errors import BuildError, InputError

if TYPE_CHECKING:
    from rich.console import Console

    from gpudeck.scenario import Scenario

LANGUAGES = ("zh", "en")
INTERRUPTED = 130
PIPE_WIDTH = 240

app = typer.Typer(
    name="gpudeck",
    help="An executable deck on GPU compute efficiency: 31 pages, computed from your own scenario.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # a third of the start-up time, for frames around the help
    context_settings={"help_option_names": ["-h", "--help"]},
)

ScenarioOption = Annotated[
    str, typer.Option("--scenario", "-s", metavar="NAME|FILE", help="Name, or path of a YAML file.")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="FIELD=VALUE", help="Change one field; may be repeated."),
]
SeedOption = Annotated[int, typer.Option("--seed", min=0, help="Seed of all simulations.")]
OutOption = Annotated[
    Path | None,
    typer.Option(
        "--out", metavar="DIR", help="Folder of zh/ and en/; without it export/<scenario>."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


@app.callback()
def start_command(
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error; allowed anywhere.")
    ] = False,
) -> None:
    """Take what all commands share; `main` reads `--debug` wherever it stands."""


@app.command(
    epilog="Example: gpudeck build --set fleet.nodes=256 --lang en --pages 10,12-14 --out mine"
)
def build(
    scenario: ScenarioOption = "default",
    changes: SetOption = None,
    lang: Annotated[
        str, typer.Option(metavar="zh|en|both", help="Language of the deck, or both.")
    ] = "both",
    seed: SeedOption = 0,
    pages: Annotated[
        str | None,
        typer.Option(metavar="LIST", help="Only these pages, such as 10,12-14 or binpack."),
    ] = None,
    out: OutOption = None,
    no_pdf: Annotated[bool, typer.Option("--no-pdf", help="Leave out deck.pdf.")] = False,
) -> None:
    """Build the deck as HTML, PDF and notebook.

    Writes deck.html, deck.pdf, deck.ipynb and facts.json for each language. A build
    that fails or is interrupted leaves an earlier deck as it was.
    """
    languages = parse_languages(lang, both=True)
    chosen = parse_pages(pages) if pages is not None else None
    plan = _read_scenario(scenario, changes)
    from gpudeck.deck.build import build_deck

    decks = build_deck(
        plan, languages, seed=seed, out=out, pages=chosen, pdf=not no_pdf, progress=_terminal()
    )
    for deck in decks:
        for warning in deck.warnings:
            _say(f"warning: {warning}", stderr=True)
        _say(str(deck.html))


@app.command(epilog="Example: gpudeck live --lang en --scenario small")
def live(
    lang: Annotated[str, typer.Option(metavar="zh|en", help="Language of the show.")] = "zh",
    scenario: ScenarioOption = "default",
    changes: SetOption = None,
    seed: SeedOption = 0,
    port: Annotated[
        int,
        typer.Option(min=0, max=65535, help="Port on 127.0.0.1, or the next free; 0: any free."),
    ] = 0,
    classic: Annotated[
        bool, typer.Option("--classic", help="Show the classic RISE first.")
    ] = False,
    browser: Annotated[
        bool, typer.Option("--browser", help="Open the show in the desktop's browser.")
    ] = False,
) -> None:
    """Start the live show in JupyterLab.

    Prints the address of the slideshow on this machine; Ctrl-C ends the show.
    """
    (language,) = parse_languages(lang, both=False)
    plan = _read_scenario(scenario, changes)
    from gpudeck.deck.live import start

    start(
        plan,
        language,
        seed=seed,
        port=port,
        classic=classic,
        browser=browser,
        say=_say,
        progress=_terminal(),
    )


@app.command(epilog="Example: gpudeck facts --page binpack --set fleet.nodes=256 --json")
def facts(
    page: Annotated[str, typer.Option(metavar="ID|NUMBER", help="Such as binpack, or 10.")],
    lang: Annotated[str, typer.Option(metavar="zh|en", help="Language of the headline.")] = "zh",
    scenario: ScenarioOption = "default",
    changes: SetOption = None,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Compute a page and print its numbers.

    Each with unit, interval, kind, source, and the function that made it.
    """
    from gpudeck.deck.outline import find_page

    entry = find_page(page)
    (language,) = parse_languages(lang, both=False)
    plan = _read_scenario(scenario, changes)
    record = _compute_page(plan, entry.id, language, seed)
    if as_json:
        _print_json(record)
    else:
        _print_facts(record)


@app.command(epilog="Example: gpudeck check --allow-pending --no-browser")
def check(
    scenario: ScenarioOption = "default",
    lang: Annotated[str, typer.Option(metavar="zh|en|both", help="Language, or both.")] = "both",
    out: OutOption = None,
    allow_pending: Annotated[
        bool, typer.Option("--allow-pending", help="Pages that are not yet computed may pass.")
    ] = False,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Leave out what needs a browser: overflow.")
    ] = False,
) -> None:
    """Check notebooks, texts and a built deck.

    Thin notebooks, texts in both languages, page count, overflow, claims.
    """
    languages = parse_languages(lang, both=True)
    from gpudeck.deck.checks import run_checks

    findings = run_checks(scenario, languages, browser=not no_browser, out=out)
    for finding in findings:
        _say(f"{finding.severity}: {finding.check}: {finding.where}: {finding.message}")
    pending = sum(finding.severity == "pending" for finding in findings)
    errors = len(findings) - pending
    _say(f"{errors} errors, {pending} pending")
    if errors or (pending and not allow_pending):
        raise typer.Exit(1)


@app.command(epilog="Example: gpudeck new-scenario my.yaml, then gpudeck build --scenario my.yaml")
def new_scenario(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="File to write, such as my.yaml.")],
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file.")] = False,
) -> None:
    """Write a commented scenario to edit.

    Every field has its meaning, unit and bounds as a comment above it.
    """
    from gpudeck.scenario import write_template

    write_template(file, force=force)
    _say(f"wrote {file}")


@app.command(epilog="Example: gpudeck validate --json")
def validate(as_json: JsonOption = False) -> None:
    """Compare models with published results.

    Exit status 1 when an error is above its tolerance and no reason for it is known.
    """
    from gpudeck.deck.validation import validate_models

    checks = validate_models()
    if as_json:
        _print_json([check.to_dict() for check in checks])
    else:
        columns = (
            "id",
            "model",
            "published",
            "computed",
            "error",
            "tolerance",
            "unit",
            "source",
            "kind",
            "ok",
            "note",
        )
        rows = [[_cell(check.to_dict()[column]) for column in columns] for check in checks]
        _print_table(columns, rows)
    if not all(check.ok or check.note for check in checks):
        raise typer.Exit(1)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and leave with its exit status."""
    arguments = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    debug = "--debug" in arguments
    arguments = [argument for argument in arguments if argument != "--debug"]
    try:
        status = app(args=arguments, prog_name="gpudeck", standalone_mode=False)
    except Exception as error:  # noqa: BLE001 - whatever it is, the user gets one line
        if debug:
            traceback.print_exception(error)
        status, message = explain_error(error)
        sys.stderr.write(f"error: {' '.join(message.split())}\n")
    if status == INTERRUPTED:
        sys.stderr.write("error: interrupted\n")
    sys.exit(status if isinstance(status, int) else 0)


def explain_error(error: Exception) -> tuple[int, str]:
    """Return the exit status and the one line that an error becomes."""
    if isinstance(error, TyperException):
        return 2, f"{error.format_message().rstrip('.')}; see gpudeck --help"
    if isinstance(error, InputError):
        return 2, str(error)
    if isinstance(error, BuildError):
        return 1, str(error)
    if isinstance(error, OSError):
        name = f"{error.filename}: " if error.filename else ""
        return 1, f"{name}{error.strerror or error}"
    return 1, f"{type(error).__name__}: {error} (a fault of gpudeck; --debug shows where)"


def parse_languages(lang: str, *, both: bool) -> tuple[str, ...]:
    """Return the languages that `--lang` names.

    >>> parse_languages("both", both=True)
    ('zh', 'en')
    """
    if both and lang == "both":
        return LANGUAGES
    if lang not in LANGUAGES:
        allowed = ", ".join(LANGUAGES) + (", both" if both else "")
        msg = f"--lang is {lang!r}; allowed are {allowed}"
        raise InputError(msg)
    return (lang,)


def parse_pages(text: str) -> tuple[str, ...]:
    """Return the ids of the pages that a list of numbers, ranges and ids names, in page order.

    Raises
    ------
    InputError
        When a part is no page, or a range runs backwards.

    >>> parse_pages("12-13,binpack,12")
    ('binpack', 'cluster-scheduling', 'fairness')
    """
    from gpudeck.deck.outline import APPENDIX, PAGES, find_page

    chosen: set[str] = set()
    for name in map(str.strip, text.split(",")):
        ends = re.fullmatch(r"([0-9]{1,4})(?:\s*-\s*([0-9]{1,4}))?", name)
        if ends is None:
            chosen.add(find_page(name).id)
            continue
        first, last = int(ends[1]), int(ends[2] or ends[1])
        if not 1 <= first <= last <= len(PAGES):
            msg = (
                f"--pages has {name!r}; allowed are numbers from 1 to {len(PAGES)}, ranges such as "
                "12-14, and page ids, with commas between"
            )
            raise InputError(msg)
        chosen |= {page.id for page in PAGES[first - 1 : last]}
    return tuple(page.id for page in (*PAGES, APPENDIX) if page.id in chosen)


def _read_scenario(name: str, changes: Sequence[str] | None) -> Scenario:
    from gpudeck.scenario import read_scenario

    return read_scenario(name, changes or ())


def _compute_page(scenario: Scenario, page_id: str, lang: str, seed: int) -> dict[str, Any]:
    """Return the facts of one page; those of its detail slides without the page's own."""
    from gpudeck.deck.build import build_deck

    with tempfile.TemporaryDirectory() as folder:
        (deck,) = build_deck(
            scenario, (lang,), seed=seed, out=Path(folder), pages=(page_id,), pdf=False
        )
        built = json.loads(deck.facts.read_text(encoding="utf-8"))
    page, *details = built.pop("pages")
    for detail in details:
        detail["facts"] = [fact for fact in detail["facts"] if fact not in page["facts"]]
    return {**built, **page, "details": details}


def _print_facts(page: dict[str, Any]) -> None:
    _say(f"{page['number'] or page['page']}  {page['headline']}")
    if page["pending"]:
        _say("not yet computed")
        return
    columns = ("slide", "fact", "value", "unit", "interval", "kind", "source", "function")
    rows = [
        [slide["detail"] or "", fact["key"], _cell(fact["value"]), fact["unit"], _interval(fact)]
        + [fact[name] for name in ("kind", "source", "function")]
        for slide in (page, *page["details"])
        for fact in slide["facts"]
    ]
    _print_table(columns, rows)


def _interval(fact: dict[str, Any]) -> str:
    if "low" not in fact:
        return ""
    return f"{_cell(fact['low'])} to {_cell(fact['high'])} ({fact['level']:.0%})"


def _console(*, stderr: bool = False) -> Console:
    from rich.console import Console

    console = Console(stderr=stderr)
    return console if console.is_terminal else Console(stderr=stderr, width=PIPE_WIDTH)


def _terminal() -> Console | None:
    """Return where progress is drawn, when somebody watches."""
    console = _console(stderr=True)
    return console if console.is_terminal else None


def _say(text: str, *, stderr: bool = False) -> None:
    _console(stderr=stderr).print(text, soft_wrap=True, markup=False, highlight=False)


def _print_json(value: object) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")


def _print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD)
    for column in columns:
        right = column in ("value", "published", "computed", "error", "tolerance")
        table.add_column(column, justify="right" if right else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    _console().print(table)


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "NO"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
