"""One timeline over both tickets of a linked ticket, in the source systems' own time; and what a partner may see of it.

Two projections come out of the same rows.  The whole one is for people who see all partners: every change, and what
became of each delivery.  The reduced one is for a partner's own people: what happened in the partner's own system, and
what was released to it and arrived.  It never loads a row of the other side's ticket.

An internal note that was not released stays with its company: even the whole timeline says only that there is one.
"""
