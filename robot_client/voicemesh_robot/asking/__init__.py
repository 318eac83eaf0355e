"""Questions asked of a mesh, from files or typed, and what became of them."""
