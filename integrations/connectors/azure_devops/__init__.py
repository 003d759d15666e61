"""Azure DevOps: work items through the Work Item Tracking interface, version 7.1.  Read `connector` first."""
