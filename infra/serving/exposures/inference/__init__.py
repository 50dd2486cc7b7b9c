"""GKE's Inference Gateway: an inference-aware load balancer for language models.

Each version of a model is an InferencePool with an endpoint picker of its own, which the load
balancer asks by ext_proc which pod gets a request. Models that share a host are told apart by the
`model` of the request's body, which the body-based router copies into a header.

Built on the Gateway API Inference Extension v1.5.0 and on what GKE supports of it:
https://docs.cloud.google.com/kubernetes-engine/docs/how-to/deploy-gke-inference-gateway.

The settings of a model are in `inference_gateway.py`, beside the other kinds of exposure.
"""
