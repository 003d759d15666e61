"""ServiceNow: `connector` is the way in, the other modules each hold one side of it."""
