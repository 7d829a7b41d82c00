"""The hallway between connectors and segmentation: order, memory, safety. ``sync.commands`` is the library."""

__version__ = "0.1.0"
