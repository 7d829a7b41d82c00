"""The hallway between connectors and segmentation: order, memory, safety. ``sync.commands`` is the library."""
