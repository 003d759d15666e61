"""The operations handbook: articles, their revisions, and finding them.  Knows no other package of ours."""
