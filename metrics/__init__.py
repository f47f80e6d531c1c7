"""The method: one module per predictor, and the mathematics they share. Pure: frames in, frame out."""
