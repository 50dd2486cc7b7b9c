"""The cluster autoscaler: node pools grow for pods that find no room, and shrink when idle."""
