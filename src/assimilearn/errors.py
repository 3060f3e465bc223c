"""Errors that tell a user what to mend; the command line prints them without a traceback."""


class AssimilearnError(Exception):
    """Something the user can mend: a setting, an input file, an option."""


class FileError(AssimilearnError):
    """An input file is missing, broken, or does not hold what is needed."""


class SettingsError(AssimilearnError):
    """Settings that cannot be used; the message lists every problem."""


class PluginError(AssimilearnError):
    """A plug-in that cannot be loaded or used; each line says file, line and what to mend."""
