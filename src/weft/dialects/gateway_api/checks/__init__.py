"""What must hold of a document of Gateway API beyond its shape: the rules that its published schemas state."""
