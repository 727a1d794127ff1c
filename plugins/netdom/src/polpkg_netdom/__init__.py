"""The network driver domain: a plugin of polpkg."""
