"""The command line. Each command imports what it needs when it runs, so that --help answers at once.

    grow        generate, import, refilter
    look        status, report, verify, tasks, rejected, audit
    data        export, overlap, check, select, seeds check
    annotate    annotate
    labels      combine, disagreement
    simulate    the simulated teacher as a server
    consent     who is asked, and who gets the keys
    options     options and arguments by name
    completing  what Tab offers for them
    showing     how --help and Tab work
    printing    what several commands print

The commands of fine-tuning are in finetune.cli.
"""

import sys
from typing import Annotated, NoReturn

import typer

from finetune.cli import COMMANDS
from selfinstruct import __version__
from selfinstruct.cli import annotate, data, grow, labels, look, simulate
from selfinstruct.cli.showing import NOT_GIVEN, OneCommand, Sections, add
from selfinstruct.errors import SelfInstructError
from selfinstruct.untrusted import say, visible


def _print_version(is_given: bool) -> None:
    if is_given:
        say(f"selfinstruct {__version__}")
        raise typer.Exit


app = typer.Typer(
    cls=Sections, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "default_map": NOT_GIVEN},
    help="Grow an instruction dataset from seed tasks, and fine-tune a student on it.",
)  # fmt: skip


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    pass


seeds_app = typer.Typer(cls=OneCommand, no_args_is_help=True)
add(seeds_app, None, data.check_seeds, "check")

# In the order of --help.
GROW, LOOK, DATA, LABELS = "Grow a run", "Look at a run", "Datasets", "Labels"
STUDENTS, SIMULATE = "Students", "Simulated teacher"
add(app, GROW, grow.generate)
add(app, GROW, grow.import_, "import")
add(app, GROW, grow.refilter)
add(app, LOOK, look.status)
add(app, LOOK, look.report)
add(app, LOOK, look.verify)
add(app, LOOK, look.tasks)
add(app, LOOK, look.rejected)
add(app, LOOK, look.audit)
add(app, DATA, data.export)
add(app, DATA, data.overlap)
add(app, DATA, data.check)
add(app, DATA, data.select)
app.add_typer(seeds_app, name="seeds", help="Check a file of seed tasks.", rich_help_panel=DATA)
add(app, LABELS, annotate.annotate)
add(app, LABELS, labels.combine)
add(app, LABELS, labels.disagreement)
for command in COMMANDS:
    add(app, STUDENTS, command)
add(app, SIMULATE, simulate.simulate)


def main() -> NoReturn:
    """Run the command line; a SelfInstructError becomes its message and exit code 2 (an interrupt is 130 by typer)."""
    try:
        app(prog_name="selfinstruct")
    except SelfInstructError as error:
        print(f"Error: {visible(str(error))}", file=sys.stderr)
        sys.exit(2)
    sys.exit(0)
