"""The command line; starts everything, imported by nothing.

Exit status: 0 done; 1 the answer is no (a check failed, a refusal); 2 the call or its input is wrong. Errors go to
standard error: one sentence of what and one of what to do, never a traceback, never a data value.
"""

import sys
from importlib import import_module

import typer

from vitrail import settings
from vitrail.errors import VitrailError

COMMANDS = {
    "demo": "Two synthetic health systems answer the flagship question, end to end.",
    "cohort": "Cohorts: run definitions on OMOP tables, say them in English.",
    "deid": "Notes without what identifies people.",
    "site": "A site, behind the glass: load, review, answer.",
    "hub": "The hub, in front of it: the meeting point, without patient data.",
    "alliance": "The members.",
    "study": "Studies: check, propose, follow.",
    "evidence": "What studies found.",
    "ledger": "A node's tamper-evident record.",
}
"""Every command, and what it is for. Each is a module of this room that is imported only when it is called."""


def main() -> None:
    """Run the command line and end the process with its exit status."""
    try:
        _app(sys.argv[1:])(prog_name="vitrail")
    except VitrailError as error:
        _end(str(error), error.exit_status)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        if settings.debug():
            raise
        # the error's own text may quote a data value
        _end(f"Vitrail met an error it did not expect ({type(error).__name__}). Set VITRAIL_DEBUG=1 to see where.", 2)


def _app(arguments: list[str]) -> typer.Typer:
    """The commands; all but the one that is called stand for themselves in the help only."""
    app = typer.Typer(
        help="Several health systems answer one question together; every record stays behind its own glass.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    app.callback()(lambda: None)
    called = next((word for word in arguments if not word.startswith("-")), None)
    for name, purpose in COMMANDS.items():
        if name != called:
            app.command(name, help=purpose)(lambda: None)
        elif name == "demo":
            app.command(name, help=purpose)(import_module("vitrail.cli.demo").demo)
        else:
            app.add_typer(import_module(f"vitrail.cli.{name}").app, name=name, help=purpose)
    return app


def _end(message: str, status: int) -> None:
    sys.stderr.write(message + "\n")
    sys.exit(status)
