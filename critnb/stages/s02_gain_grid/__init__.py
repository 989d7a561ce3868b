"""S02: thresholds that match rates over the gain grid, and the rasters of A_cal."""
