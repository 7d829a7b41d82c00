"""The kinds of segmentation, one module each, and the names that belong to one of them."""
