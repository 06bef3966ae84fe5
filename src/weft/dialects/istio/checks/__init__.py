"""What Istio's own validation says of one document, as findings."""
