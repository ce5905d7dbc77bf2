"""Stations of satellite navigation (GNSS) in the forms that services give: velocities, series, grids."""
