"""How the parts of the mesh are: each module looks at one kind of part and says it in checks."""
