"""Plays a recorded ticket history into a sandbox and compares what came of it with what should have."""
