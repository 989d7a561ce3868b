"""S03: rasters of A_raster, which no threshold was fitted to."""
