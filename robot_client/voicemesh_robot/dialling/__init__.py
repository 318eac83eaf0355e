"""A robot that dials the mesh itself, so that it may stand behind a router."""
