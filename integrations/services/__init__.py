"""What people and the schedule do: every function is one action, in one transaction, and says what it did."""
