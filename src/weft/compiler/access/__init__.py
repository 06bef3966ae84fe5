"""Access policies as Envoy's RBAC filters, by its matching API: rules are found by path and caller, not one by one."""
