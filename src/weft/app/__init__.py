"""The composition of a control plane: alone knows every class, decides nothing."""
