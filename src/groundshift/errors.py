"""The few errors that groundshift raises on purpose.

Each message says what came, what was expected, and what to do, in one line. The command line prints the
message alone; a traceback is for mistakes of ours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError

_MOST = 5  # fields that are named
_LONG = 60  # letters of a value that is left out


class GroundshiftError(Exception):
    """Base of all errors that a user can mend."""


class InputError(GroundshiftError, ValueError):
    """A file or array cannot be used as it is: unreadable, no CRS, wrong bands, constant, complex."""


class NoOverlapError(InputError):
    """The two images, or an image and the area asked for, share no ground."""


class ContractError(GroundshiftError, ValueError):
    """A data set breaks the displacement-map or point-set contract."""


class ConfigurationError(GroundshiftError, ValueError):
    """An option or a combination of options makes no sense."""


class RunError(GroundshiftError, RuntimeError):
    """A step failed on a tile; finished tiles are kept and the run can be started again."""


def one_line(said: object) -> str:
    """What an error or another text says, in one line."""
    return " ".join(str(said).split())


def refused_fields(error: ValidationError, *, as_options: bool = False) -> str:
    """What of its input a configuration or a record refuses, in one line: field, what came, what was expected.

    Parameters
    ----------
    error
        Of pydantic.
    as_options
        Name fields as options of a command: `--max-velocity`; of an option in an option, the inner one. Else by their
        path: `network.search.max_velocity`.
    """
    every = error.errors(include_url=False)
    said = []
    for each in every[:_MOST]:
        names = [str(name) for name in each["loc"] if isinstance(name, str) or not as_options]
        field = f"--{(names or ['options'])[-1].replace('_', '-')}" if as_options else ".".join(names)
        came = "" if isinstance(each["input"], dict) else one_line(each["input"])
        message = one_line(each["msg"]).removeprefix("Value error, ")
        message = message if message[:2].isupper() else message[:1].lower() + message[1:]
        where = " ".join(part for part in (field, came) if part and len(part) <= _LONG)
        said.append(f"{where}: {message}" if where else message)
    return "; ".join([*said, *([f"and {len(every) - _MOST} more"] if len(every) > _MOST else [])])
