"""Indexes: what lists packages.  Static trees, directories and http, behind one protocol."""
