"""A stand-in for ServiceNow: the Table API with its query language, journals, audit, attachments, batch, web hooks."""
