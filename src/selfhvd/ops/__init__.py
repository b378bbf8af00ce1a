"""Pure tensor operations of the method: grid, warp, masks, sharpness."""
