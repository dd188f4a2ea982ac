"""The log of what was shown: the calling thread hands over references, threads of the log do the rest."""

from .log import ImpressionLog as ImpressionLog
