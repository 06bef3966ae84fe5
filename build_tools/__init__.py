"""What the build needs and the installed package does not: the generation of weft._pb."""
