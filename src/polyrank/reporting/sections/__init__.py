"""The sections of the page, in its order: each says what it has to, or which command brings it."""

from polyrank.reporting.blocks import Section
from polyrank.reporting.sources import Sources

from .comparing import comparison_section, runs_section
from .origins import configuration_section, environment_section
from .quality import answers_section, parts_section, tasks_section
from .ranking import ordering_section
from .serving import load_section, parity_section
from .training import learning_section
from .worth import inputs_section

_SECTIONS = (
    tasks_section,
    learning_section,
    runs_section,
    comparison_section,
    parts_section,
    answers_section,
    ordering_section,
    inputs_section,
    parity_section,
    load_section,
    configuration_section,
    environment_section,
)


def all_sections(sources: Sources) -> tuple[Section, ...]:
    """Make all sections of what was given; one of several runs is left out where there is one."""
    return tuple(section for make in _SECTIONS if (section := make(sources)) is not None)
