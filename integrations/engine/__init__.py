"""The synchronisation: pure steps on values.  Clock, random, store and transport are handed in; read `deliver` first."""
