"""Ours: the camera's motion, the path of the exposure and what moves on its own, in torch on whatever device.

Nothing here asks the device for a number: rounds are fixed, and what does not hold for a pair is masked.
"""
