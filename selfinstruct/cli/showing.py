"""How the command line shows itself: commands in sections, examples at the end of each help, and Tab.

In plain text, which a pipe and a dumb terminal show as well; rich would take longer to import than all else.
"""

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperCommand, TyperGroup

if TYPE_CHECKING:
    from typer._click import Context, HelpFormatter

EXAMPLES = "\n\nExamples:\n"
# A flag that has no value makes typer import pydantic to convert nothing, which takes longer than --help itself.
NOT_GIVEN = {"help": False, "version": False, "install_completion": False, "show_completion": False}


class Sections(TyperGroup):
    """Commands by section, in the order in which they were added."""

    def format_commands(self, ctx: "Context", formatter: "HelpFormatter") -> None:
        """List the commands; all names have a column of one width."""
        width = max(map(len, self.commands))
        sections: dict[str, list[tuple[str, str]]] = {}
        for name, command in self.commands.items():
            row = name.ljust(width), command.get_short_help_str(formatter.width - width - 6)
            sections.setdefault(getattr(command, "rich_help_panel", None) or "Commands", []).append(row)
        for title, rows in sections.items():
            with formatter.section(title):
                formatter.write_dl(rows)


class OneCommand(TyperGroup):
    """A group of one command, which says so where its name was left out."""

    def resolve_command(self, ctx: "Context", args: list[str]) -> Any:
        """The command; a usage error that names it for anything else."""
        if not ctx.resilient_parsing and args[0] not in self.commands:
            (name,) = self.commands
            ctx.fail(f"No such command {args[0]!r}. Write: {ctx.command_path} {name} {args[0]}")
        return super().resolve_command(ctx, args)


class Command(TyperCommand):
    """A command whose help ends with examples, and which completes without converting what was typed."""

    def format_epilog(self, ctx: "Context", formatter: "HelpFormatter") -> None:
        """Show the examples as they were written: a command that is wrapped cannot be copied."""
        if self.epilog:
            with formatter.section("Examples"):
                formatter.write("".join(f"  {line}\n" for line in self.epilog.splitlines()))

    def parse_args(self, ctx: "Context", args: list[str]) -> list[str]:
        """Parse as typer does; for Tab, only say what was typed (converting it imports pydantic)."""
        if not ctx.resilient_parsing:
            return self._parse(ctx, args)
        typed, rest, _ = self.make_parser(ctx).parse_args(args)
        for param in self.get_params(ctx):
            ctx.params[param.name], source = param.consume_value(ctx, typed)
            ctx.set_parameter_source(param.name, source)
        ctx.args = rest
        return rest

    def _parse(self, ctx: "Context", args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except typer.BadParameter as error:
            from selfinstruct.settings import plain

            error.message = plain(error.message)
            raise
        except Exception as error:
            name = getattr(error, "option_name", "").removeprefix("--").replace("-", "_")
            if not (name and ctx.info_name == "generate"):
                raise
            from selfinstruct.config.config import in_sampling
            from selfinstruct.errors import UsageError
            from selfinstruct.strategies import declared
            from selfinstruct.teachers.settings import SAMPLING

            if name not in SAMPLING:
                raise
            raise UsageError(
                f"No such option: --{name}. In a file for --config, {in_sampling(name, name, declared().stages)}."
            ) from None


def add(app: typer.Typer, section: str | None, function: Callable[..., Any], name: str | None = None) -> None:
    """Make a function a command; what its docstring says after "Examples:" goes to the end of its help."""
    text, _, examples = inspect.cleandoc(function.__doc__ or "").partition(EXAMPLES)
    register = app.command(
        name, cls=Command, help=text, epilog=inspect.cleandoc("\n" + examples), rich_help_panel=section
    )
    register(function)
