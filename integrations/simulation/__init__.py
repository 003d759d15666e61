"""Whole worlds in virtual time: systems, workers, people and every fault, run on the engine's own steps.  Pure."""
