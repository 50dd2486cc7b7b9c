"""The shared vocabulary of the platform: what every layer says in the same words.

It knows of no layer's resources and imports none of the other packages of this repository.
"""
