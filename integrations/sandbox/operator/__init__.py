"""The operator's pages: see what the partner's system holds, act as its people, and make things go wrong."""

from integrations.sandbox.operator.site import answer

__all__ = ["answer"]
