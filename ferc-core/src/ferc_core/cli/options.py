"""The options of commands: those of the table of settings, generated, and those that are shared."""

from __future__ import annotations

import inspect
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

import typer

from ferc_core.base.signals import stop, stop_on
from ferc_core.base.text import printable, sentence
from ferc_core.errors import RequestError, UnknownNameError
from ferc_core.plugins.host import host, registry, use_plugin_files

if TYPE_CHECKING:
    from ferc_core.results.reading import Source

HELP = {"help_option_names": ["-h", "--help"]}

Function = TypeVar("Function", bound=Callable[..., None])

PluginFiles = Annotated[
    list[Path] | None,
    typer.Option("--plugin", metavar="FILE", help="A Python file with hooks of your own."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show results and errors alone.")]
LogFile = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Add what is shown, with the time, to this file."),
]
Format = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="table, json, csv, markdown, latex.",
        autocompletion=lambda incomplete: completions("reporters", incomplete),
    ),
]
By = Annotated[
    list[str] | None,
    typer.Option(
        metavar="COLUMN",
        help="Means for each value of a column: corruption, severity, group, class, seed, ...; "
        "repeat it to combine. Default: clean beside corrupted.",
    ),
]
Methods = Annotated[
    list[str] | None, typer.Option("--method", metavar="NAME", help="Show this method alone.")
]
Losses = Annotated[
    list[str] | None, typer.Option("--loss", metavar="NAME", help="Show this loss alone.")
]
Corruptions = Annotated[
    list[str] | None,
    typer.Option("--corruption", metavar="NAME", help="Show this corruption beside the clean set."),
]
Where = Annotated[
    list[str] | None,
    typer.Option(
        metavar="COMPARISON",
        help='Show scores for which this holds, as in "noise=0" or "severity>=3"; repeat it to '
        "demand several.",
    ),
]
Ensemble = Annotated[
    bool,
    typer.Option(
        "--ensemble", help="Show the mean prediction of all seeds of a trial as a further one."
    ),
]
Metrics = Annotated[
    list[str] | None,
    typer.Option(
        "--metric",
        metavar="NAME",
        help="Metrics to show with --by; see ferc list metrics.",
        autocompletion=lambda incomplete: completions("metrics", incomplete),
    ),
]


def new_app(**more: Any) -> typer.Typer:
    """Return the app of a command, whose help is Markdown."""
    return typer.Typer(
        rich_markup_mode="markdown", context_settings=HELP, add_completion=False, **more
    )


def takes(*fields: str) -> Callable[[Function], Function]:
    """Give a command an option for each of these settings.

    The command is called with ``settings``, those that were given on the command line.
    """

    from ferc_core.experiment.config import configured

    def decorate(function: Function) -> Function:
        hints = get_type_hints(function, include_extras=True)
        own = [
            parameter.replace(annotation=hints[parameter.name])
            for parameter in inspect.signature(function).parameters.values()
            if parameter.name != "settings"
        ]
        arguments = [p for p in own if p.default is p.empty or p.name == "config"]
        options = [p for p in own if p not in arguments]
        parameters = [*arguments, *map(parameter_of, fields), *options]

        def command(**values: Any) -> None:
            asked = {name: values.pop(name) for name in fields}
            given = {name: value for name, value in asked.items() if value not in (None, [])}
            if given:
                configured(given)  # refuses what cannot be, whatever the command makes of it
            function(settings=given, **values)

        command.__doc__, command.__name__ = function.__doc__, function.__name__
        command.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [p.replace(kind=p.KEYWORD_ONLY) for p in parameters]
        )
        command.__annotations__ = {p.name: p.annotation for p in parameters}
        return command  # type: ignore[return-value]

    return decorate


def parameter_of(name: str) -> inspect.Parameter:
    """Return the option of a setting as a parameter of a command, None where it is not given."""
    from ferc_core.experiment.config import SETTINGS, Config

    setting = SETTINGS[name]
    kind: Any = Config.model_fields[name].annotation
    if get_origin(kind) is tuple:
        kind = list[get_args(kind)[0]]  # type: ignore[misc]
    flag = "--" + (setting.option or name).replace("_", "-")
    declared = f"{flag}/--no-{flag[2:]}" if kind is bool else flag
    option = typer.Option(
        declared,
        metavar=setting.value or None,
        help=setting.help,
        rich_help_panel=setting.panel,
        autocompletion=lambda incomplete: completions(setting.kind, incomplete, setting.choices),
    )
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[kind | None, option],
    )


def completions(kind: str, incomplete: str, choices: tuple[str, ...] = ()) -> list[str]:
    """Return the values of an option that begin like this."""
    names = choices or (getattr(registry(), kind) if kind else ())
    return [name for name in names if name.startswith(incomplete)]


def echo(text: str, err: bool = False) -> None:
    """Print a text, whatever is in it."""
    print(printable(text), file=sys.stderr if err else sys.stdout, flush=True)


def begin(plugin: list[Path] | None) -> None:
    """Use the plugin files of a command, and print the faults that leave the rest working."""
    use_plugin_files(plugin or [])
    for fault in host().faults:
        if not fault.fatal:
            echo(f"ferc: warning: {sentence(str(fault))}", err=True)


@contextmanager
def showing(quiet: bool = False, log_file: Path | None = None) -> Iterator[None]:
    """Show the progress of what is done in this context, and stop it cleanly when told to."""
    stop_cleanly()
    from ferc_core.base.display import Display
    from ferc_core.base.parallel import check_address_space
    from ferc_core.base.progress import watching

    check_address_space()
    with Display(quiet, log_file) as display, watching(display):
        yield


def stop_cleanly() -> None:
    """Let what is begun be put in order when a signal says to stop; until here it ends at once."""
    stop_on(signal.SIGINT, signal.SIGTERM, handler=interrupt)


def interrupt(number: int, frame: FrameType | None) -> None:
    """Acknowledge a signal at once and stop cleanly; a second one stops at once."""
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, lambda again, _: os._exit(128 + again))
    with suppress(OSError):
        sys.stderr.write("\nferc: stopping, which may take some seconds\n")
        sys.stderr.flush()
    stop(number, frame)


def footer(sources: Sequence[Source]) -> list[str]:
    """Return what people should know of a table of these scores, and warnings about the models."""
    from ferc_core.results.reading import sizes_of

    size = sizes_of(source.config for source in sources)
    wrong = dict.fromkeys(text for source in sources for text in source.warnings)
    return [*filter(None, [size]), *(f"ferc: warning: {text}" for text in wrong)]


def check_view(by: list[str] | None, metric: list[str] | None) -> None:
    """Raise `RequestError` for metrics without a column to show them by."""
    if metric and not by:
        raise RequestError("--metric goes with --by, for example --by corruption")


def format_of(out: Path | None, format: str | None, images: Sequence[str] = ()) -> str:
    """Return the format that was asked for, or that the suffix of a file says; else "table".

    Raises `RequestError` for a suffix of no format, or of another one than was asked for; it names
    those of ``images``, too.
    """
    reporters = registry().reporters
    if format is not None:
        _ = reporters[format]  # raises with the nearest name
    if out is None:
        return format or "table"
    known = {suffix: name for name, entry in reporters.items() for suffix in entry.suffixes}
    suffix = out.suffix.lower()
    if suffix not in known:
        if format is not None and not reporters[format].suffixes:
            return format  # of a plugin that says no suffix
        raise UnknownNameError("kind of file", suffix, [*known, *images])
    if format not in (None, known[suffix]):
        raise RequestError(f"{out} would be {known[suffix]}, not {format}; leave out one of them")
    return known[suffix]
