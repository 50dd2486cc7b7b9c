"""Facts about Google Cloud and Kubernetes: data and arithmetic shared by programs and sandbox.

Each module names the page that a fact comes from; `data/` also holds the day it was read. Nothing
here decides, talks to an API or imports another package of ours. What the layers refuse and what
the emulated API answers is decided there, each by itself, so that a mistake in one shows in the
other. How a URL map matches is one function for both. Prices and quotas are not here.
"""
