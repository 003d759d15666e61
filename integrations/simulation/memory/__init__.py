"""The engine's Store in memory: the same answers as the store on Django's database, thousands of worlds a minute.

It follows `integrations.store` request by request, also where several are carried out together.  That both give the
same answers is tested by running the same schedules on either.
"""

from integrations.simulation.memory.shared import Memory
from integrations.simulation.memory.store import MemoryStore

__all__ = ["Memory", "MemoryStore"]
