"""What can be wrong in weft's own documents."""
