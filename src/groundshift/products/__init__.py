"""What is made of measured displacement: calibrated, gridded, fused, and told of assets."""
