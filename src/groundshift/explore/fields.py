"""What points can be coloured by, and how."""

from __future__ import annotations

from typing import NamedTuple


class Field(NamedTuple):
    """A column of points on the map."""

    unit: str
    palette: str
    centred: bool  # the scale runs as far below 0 as above
    label: dict[str, str]  # by language


FIELDS = {
    "mean_velocity": Field("mm/yr", "motion", True, {"en": "Velocity", "fr": "Vitesse"}),
    "acceleration": Field("mm/yr²", "motion", True, {"en": "Acceleration", "fr": "Accélération"}),
    "seasonality": Field("mm", "viridis", False, {"en": "Seasonal amplitude", "fr": "Amplitude saisonnière"}),
    "mean_velocity_std": Field(
        "mm/yr", "cividis", False, {"en": "Uncertainty of velocity", "fr": "Incertitude de la vitesse"}
    ),
    "rmse": Field("mm", "cividis", False, {"en": "Residual (rmse)", "fr": "Résidu (rmse)"}),
    "temporal_coherence": Field("", "viridis", False, {"en": "Temporal coherence", "fr": "Cohérence temporelle"}),
    "height": Field("m", "viridis", False, {"en": "Height", "fr": "Altitude"}),
}

DISPLACEMENT = Field("mm", "motion", True, {"en": "Displacement", "fr": "Déplacement"})
"""Not a column: what the page makes of the months of a :class:`groundshift.explore.film.Film`."""
