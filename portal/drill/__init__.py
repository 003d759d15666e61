"""The outage drill: a sandbox is cut off while people go on working, and what arrived afterwards is put on record."""
