"""The Virtual Machine Verifier and sCore: a plugin of polpkg."""
