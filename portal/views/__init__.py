"""Pages, one module a noun.  A page is a function; its addresses stand at the end of its module."""
