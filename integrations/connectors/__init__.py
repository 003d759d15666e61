"""Talking to other companies' systems.  Knows no Django, no database and none of the other packages' rules."""
