"""Read-only REST for partners' own tools: ticket status and timeline, the same projection as on the pages."""
