"""What is wrong with documents together, beyond what linking them tells: for ``weft analyze``.

Pure functions over whole documents. They also read kinds of Kubernetes that weft does not serve (Pods, Deployments),
for manifests are shared with clusters, and never refuse a write.
"""
