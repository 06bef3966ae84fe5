"""A view as Envoy's own resources: pure, memoised by value, the only floor that writes Envoy's protobuf."""
