"""What one proxy may see of the mesh: the whole input of the compiler, and therefore the key of its cache."""
