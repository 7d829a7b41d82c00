"""Segmentation: frames in, labels out. Pure: no files, no clock, no CRM. Start at ``segmentation.kinds``."""
