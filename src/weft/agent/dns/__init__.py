"""The resolver beside a workload: answers names of the mesh, and passes everything else on."""
