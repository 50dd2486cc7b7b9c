"""Pictures of the documentation as SVG: `drawing` writes boxes and arrows, `pages` says which.

They are generated files: made of the stack file, the contracts and the layers, by nothing else.
"""
