"""Changing many follow-ups at once: which ones, what becomes of each, and the work in chunks.

Which are meant is told by ids or by a list's filters (``selection``); what would become of each row, or why
not, by one function that the ``preview`` and the worker share (``actions``); ``job`` does it.
"""
