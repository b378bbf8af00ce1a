"""A fleet: many clips, or long ones, on many machines. What is done stands on disk; whoever works may be killed."""
