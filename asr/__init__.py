"""A speech-to-text server built of trio actors.

The code lives in the three rooms beside this folder (``pipeline``, ``actors``, ``http``), which are
linked here so that they have one parent name: a top-level package called ``http`` would hide the
standard library's.
"""

__version__ = "0.1.0"
