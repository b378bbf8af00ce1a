"""The paper, one file a step: sharp_frames, align, masks, losses, perceptual, sevd, scscm, stages; batch."""
