"""Sources of options: the command line, a test's marker and the ini file, in the order in which they count."""

from __future__ import annotations

from collections import ChainMap
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar, cast

from freezebench.config.options import BY_NAME

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Source:
    """One source of options.

    Attributes:
        label: Name of an option in error messages; its fields are ``flag``, ``ini``, ``name`` and ``dashed_name``.
        values: Raw values by option name; those of several markers as a ``ChainMap``, the closest marker first.
        origin: Name of an option in settings, with the same fields; the label if it is empty.
    """

    label: str
    values: Mapping[str, object]
    origin: str = ""

    def name_of(self, option: str) -> str:
        """Return the name that error messages use for an option of this source."""
        return _filled(self.label, option)

    def origin_of(self, option: str) -> str:
        """Return the name that settings keep for an option of this source."""
        return _filled(self.origin or self.label, option)

    @property
    def layers(self) -> Sequence[Mapping[str, object]]:
        """The mappings of ``values``, the strongest first."""
        return self.values.maps if isinstance(self.values, ChainMap) else [self.values]

    def layer_of(self, option: str) -> int:
        """Return which of the layers sets an option, from 0, the strongest one."""
        return next(number for number, values in enumerate(self.layers) if option in values)

    def check(self) -> None:
        """Make sure that every value can be parsed, including those that another source overrides.

        Raises:
            SettingsError: If one cannot be parsed.
        """
        # Otherwise a wrong ini value would be reported only when the flag that overrides it is left out.
        for name, value in self.values.items():
            BY_NAME[name].parse(value, self.name_of(name))


@dataclass(frozen=True, kw_only=True)
class ParsedOptions:
    """Values of the options that were set.

    Attributes:
        values: Parsed values by option name.
        origins: Where each value comes from, as error messages say it.
        ranks: How strong the source of each value is; the smallest rank is the strongest.
        sources: The sources, the strongest first.
    """

    values: Mapping[str, object]
    origins: Mapping[str, str]
    ranks: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    sources: Sequence[Source] = ()

    def __contains__(self, name: str) -> bool:
        return name in self.values

    def get(self, name: str, default: T) -> T:
        """Return an option's value, or the default if the option was not set."""
        # The options table pairs each option with its parser, so the value has the type of the setting.
        return cast("T", self.values.get(name, default))

    def is_stronger(self, name: str, other: str) -> bool:
        """Return whether the source that sets an option is stronger than that of another one, which is set, too."""
        return name in self.ranks and self.ranks[name] < self.ranks[other]

    def beside(self, other: str, name: str) -> object:
        """Return the value that an option has for the source that sets another one, or ``None``.

        That source, or a weaker one, sets it; what a stronger one sets may not be known there.

        Args:
            other: The other option, which is set.
            name: The option.
        """
        position, layer = self.ranks[other]
        for source in self.sources[position:]:
            for values in source.layers[layer:]:
                if values.get(name) is not None:
                    return BY_NAME[name].parse(values[name], source.name_of(name))
            layer = 0
        return None


def parse_sources(sources: Sequence[Source], *, session_wide: bool) -> ParsedOptions:
    """Return the parsed options of several sources; the first source that sets an option wins.

    Args:
        sources: The sources, the strongest first.
        session_wide: Whether to parse the options of the whole session or those of a single test.

    Raises:
        SettingsError: If a value cannot be parsed.
    """
    values: dict[str, object] = {}
    origins: dict[str, str] = {}
    ranks: dict[str, tuple[int, int]] = {}
    for position, source in enumerate(sources):
        for name, raw in source.values.items():
            option = BY_NAME.get(name)  # None for num_layers, a marker's argument that is no option
            if option is None or option.session_wide is not session_wide or name in values or raw is None:
                continue
            origins[name] = source.origin_of(name)
            values[name] = option.parse(raw, source.name_of(name))
            ranks[name] = (position, source.layer_of(name))
    return ParsedOptions(values=values, origins=origins, ranks=ranks, sources=sources)


def _filled(label: str, option: str) -> str:
    names = {"name": option, "dashed_name": option.replace("_", "-")}
    return label.format(flag=BY_NAME[option].flag, ini=BY_NAME[option].ini, **names)
