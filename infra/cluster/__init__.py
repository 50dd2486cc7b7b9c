"""The cluster layer: VPC, GKE cluster, node pools and who they run as."""
