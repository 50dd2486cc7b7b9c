"""Pictures as SVG, made of plain figures: no plotting library, and nothing in them is requested."""
