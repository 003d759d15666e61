"""Rules of the watch, pure: what is worth an alert, how bad it is, when to tell whom, how outgoing web hooks are signed."""
