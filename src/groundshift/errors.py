"""The few errors that groundshift raises on purpose.

Each message says what came, what was expected, and what to do, in one line. The command line prints the
message alone; a traceback is for mistakes of ours.
"""


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
