"""The command line. Everything heavy is imported by the command that needs it, so that --help answers at once.

    grow      generate, import, refilter
    look      status, report, verify, tasks, rejected, audit
    data      export, overlap, check, seeds check
    simulate  the simulated teacher as a server
    options   options and arguments by name; printing: what several commands print

The commands of fine-tuning are in finetune.cli.
"""

import sys
from typing import NoReturn

import typer

from finetune.cli import add_commands
from selfinstruct.cli import data, grow, look, simulate
from selfinstruct.errors import SelfInstructError
from selfinstruct.untrusted import visible

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Grow an instruction dataset from seed tasks. Everything the teacher says is kept in RUN/run.db.",
)  # fmt: skip
seeds_app = typer.Typer(no_args_is_help=True, help="Seed tasks.")
app.add_typer(seeds_app, name="seeds")
seeds_app.command("check")(data.check_seeds)

# In the order of --help.
app.command()(grow.generate)
app.command("import")(grow.import_)
app.command()(grow.refilter)
app.command()(look.status)
app.command()(look.report)
app.command()(look.verify)
app.command()(data.export)
app.command()(data.overlap)
app.command()(data.check)
app.command()(look.tasks)
app.command()(look.rejected)
app.command()(look.audit)
app.command()(simulate.simulate)
add_commands(app)


def main() -> NoReturn:
    """Run the command line; a SelfInstructError becomes its message and exit code 2 (an interrupt is 130 by typer)."""
    try:
        app(prog_name="selfinstruct")
    except SelfInstructError as error:
        print(f"Error: {visible(str(error))}", file=sys.stderr)
        sys.exit(2)
    sys.exit(0)
