"""The cluster layer: VPC, GKE cluster, node pools and their service accounts."""
