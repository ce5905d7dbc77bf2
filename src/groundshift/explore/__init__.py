"""The map in the browser: points, displacement maps, images, stations and lines, served or exported."""
