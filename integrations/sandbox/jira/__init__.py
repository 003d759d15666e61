"""A stand-in for Jira Cloud (REST v3): issues, workflow, change log, comments, files, search, web hooks."""
