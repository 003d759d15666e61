"""A stand-in for Azure DevOps Services: work items (REST 7.1), their updates, comments, files, WIQL, service hooks."""
