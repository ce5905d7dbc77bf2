"""Why a pixel is, or is not, valid."""

from enum import IntEnum


class Reason(IntEnum):
    """The code of the `reason` layer of a displacement map: 0 is valid, all else says why not.

    Where several apply, the first that was found stands: reading, then measuring, then cleaning.
    """

    VALID = 0
    NO_DATA = 1
    OUTSIDE = 2
    CLOUD = 3
    SATURATED = 4
    MASKED = 5
    NO_TEXTURE = 6
    NO_MATCH = 7
    OUT_OF_RANGE = 8
    LOW_QUALITY = 9
    OUTLIER = 10

    @property
    def meaning(self) -> str:
        """A few plain words for legends and logs."""
        return _MEANING[self]


_MEANING = {
    Reason.VALID: "valid",
    Reason.NO_DATA: "no data in one of the images",
    Reason.OUTSIDE: "outside one of the images",
    Reason.CLOUD: "cloud or cloud shadow",
    Reason.SATURATED: "saturated detector",
    Reason.MASKED: "masked by the user",
    Reason.NO_TEXTURE: "no texture to match",
    Reason.NO_MATCH: "no reliable match",
    Reason.OUT_OF_RANGE: "beyond the maximum displacement",
    Reason.LOW_QUALITY: "below the quality threshold",
    Reason.OUTLIER: "outlier among its neighbours",
}
