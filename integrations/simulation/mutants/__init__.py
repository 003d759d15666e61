"""Safety mechanisms switched off, one at a time, to see that the checkers notice.  For tests and `simulate --mutants`.

Nothing in the engine knows of this: a mutant replaces a function for as long as a world is run with it.
"""

from __future__ import annotations

from integrations.simulation.mutants.deciding import DECIDING
from integrations.simulation.mutants.explaining import EXPLAINING
from integrations.simulation.mutants.mutant import Mutant
from integrations.simulation.mutants.reading import READING
from integrations.simulation.mutants.refusals import REFUSALS
from integrations.simulation.mutants.systems import SYSTEMS
from integrations.simulation.mutants.writing import WRITING

MUTANTS: tuple[Mutant, ...] = (*WRITING, *READING, *SYSTEMS, *DECIDING, *REFUSALS, *EXPLAINING)
BY_NAME = {mutant.name: mutant for mutant in MUTANTS}

__all__ = ["BY_NAME", "MUTANTS", "Mutant"]
