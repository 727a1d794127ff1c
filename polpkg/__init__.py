"""polpkg: the package manager for Xen XSM/FLASK policy."""

__version__ = "0.1.0"
