"""What the method rests on and is not about: device, memory, files written whole, locks, progress."""
