"""The cluster autoscaler: node pools grow for unschedulable pods and shrink when idle."""
