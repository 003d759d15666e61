"""Runs the engine's steps for real: threads for remote calls, one thread for the database.  `drain` is the loop."""
