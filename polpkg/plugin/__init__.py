"""The hooks, and the manager that loads who implements them."""
