"""Why a source cannot give a file (standard library only)."""


class Failed(Exception):
    """The source cannot give the file; the next one is tried."""


class Transient(Failed):
    """The same address may answer if it is asked again."""
