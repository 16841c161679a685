"""Every exception of the package, in one tree.

LabError                    anything the person at the keyboard can mend; shown as one sentence, exit status 2
|- DataError                a data folder is missing, incomplete or damaged
|  |- FetchError            a download failed or does not match its checksum
|- SubmissionError          a submission cannot be taken: not a folder or zip, or a hostile archive
|- ResultsError             a results/ file is missing, cut short, or of another version
|- SetupError               wrong Python, no TensorFlow, missing tool
|- MeasureError             a measurement could not be finished
ChannelError                the two sides of the channel broke its rules (never shown as is)
|- FrameError               a frame is too large, cut short or not a frame
|- ValueRefused             a value may not cross the channel
|- PeerGone                 the other side ended
"""


class LabError(Exception):
    """Anything the person at the keyboard can mend. Its text is one sentence: what happened, what was expected, what to do."""


class DataError(LabError):
    """A data folder is missing, incomplete or damaged."""


class FetchError(DataError):
    """A download failed or does not match its checksum."""


class SubmissionError(LabError):
    """A submission cannot be taken: not a folder or zip, or a hostile archive."""


class ResultsError(LabError):
    """A file under results/ is missing, cut short, or of another version."""


class SetupError(LabError):
    """The machine lacks something the lab needs: a Python version, TensorFlow, a tool."""


class MeasureError(LabError):
    """A measurement could not be finished."""


class ChannelError(Exception):
    """The two sides of the channel broke its rules."""


class FrameError(ChannelError):
    """A frame is too large, cut short or not a frame."""


class ValueRefused(ChannelError):
    """A value may not cross the channel: its type, dtype or size is not allowed."""


class PeerGone(ChannelError):
    """The other side of the channel ended."""
