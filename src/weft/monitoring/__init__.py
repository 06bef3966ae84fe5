"""What dashboards show and which rules hold, said once; rendered for Grafana and for Prometheus."""
