"""cert-manager's words for certificates that are to be obtained and renewed: Issuer, ClusterIssuer, Certificate."""
