"""The paper, one file a step: sharp_frames, align, masks, losses, perceptual, rscr, sis, sevd, scscm, stages; batch."""
