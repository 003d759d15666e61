"""Partners, connections, mappings, and the synchronisation between them."""
