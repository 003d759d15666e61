"""A stand-in for Zendesk Support (API v2): tickets, audits, comments, files, the incremental export, web hooks."""
