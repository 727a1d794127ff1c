"""The storage driver domain: a plugin of polpkg."""
