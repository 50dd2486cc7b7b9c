"""The process that answers for the pods of all clusters of a sandbox."""
