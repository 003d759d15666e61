"""Stand-ins for the partners' systems: real HTTP servers that each speak one vendor's API.

With them a connection can be tried, drilled and tested with no partner at hand.  They are written from the vendors'
documentation and know nothing of our connectors, so that each can prove the other wrong.  Standard library only; the
one module that speaks HTTP as a client of ours, `client`, serves tests, replay and the demo.
"""
