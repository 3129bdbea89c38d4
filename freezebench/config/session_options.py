"""The options of a session: values of command line, ini file and markers, resolved into settings and grids."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Protocol

from freezebench.config.configurations import Configurations, at_depth, configurations, needs_depth
from freezebench.config.session_settings import in_ci, resolve_session
from freezebench.config.settings import Settings, check_names, listed_values, resolve
from freezebench.config.sources import Source
from freezebench.errors import DataError, FreezebenchError, ModelError, SettingsError, SpecError
from freezebench.specs.node_ids import joined_names

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from freezebench.specs.freeze import FreezeSpec


# Arguments of a marker that may be the cause of an error, unless a flag overrides them.
_CAUSES: tuple[tuple[type[FreezebenchError], tuple[str, ...]], ...] = (
    (DataError, ("data", "text_column", "label_column", "bad_rows", "task", "test", "slice_column", "group_column")),
    (ModelError, ("model",)),
    (SpecError, ("grid",)),
    (SettingsError, ("num_layers",)),
)


class DefaultPreset(Protocol):
    """Returns the name of the preset that fits this machine, and the reason for it."""

    def __call__(self, *, may_fall_back: bool) -> tuple[str, str]:
        """Return both.

        Args:
            may_fall_back: Whether a smaller preset may be chosen where the assets of the usual one cannot be had.

        Raises:
            SettingsError: If they cannot be had and no other preset may be chosen.
        """


class SessionOptions:
    """The options of one session, and the settings of its tests.

    Attributes:
        session_settings: The options that hold for the whole session.
        has_reference: Whether results are going to be compared with a saved run.
    """

    def __init__(
        self,
        flags: Mapping[str, object],
        ini: Mapping[str, object],
        *,
        read_depth: Callable[[str], int],
        default_preset: DefaultPreset,
        has_reference: bool = False,
    ) -> None:
        """Take raw option values by name.

        Args:
            flags: Those of the command line.
            ini: Those of the ini file.
            read_depth: Returns the number of layers of a model from its configuration file.
            default_preset: Returns the preset of this machine.
            has_reference: Whether results are going to be compared with a saved run.

        Raises:
            SettingsError: If a value is bad.
        """
        self._flags = Source(label="{flag}", values=flags)
        self._ini = Source(label="ini key {ini}", values=ini)
        self.has_reference = has_reference
        self._read_depth, self._default_preset = read_depth, default_preset
        self._preset: tuple[str, str] | None = None
        self._known_configurations: dict[Settings, Configurations] = {}
        for source in (self._flags, self._ini):
            source.check()
        self.session_settings = resolve_session((self._flags, self._ini), has_reference=has_reference)

    def settings(
        self,
        marker: Mapping[str, object] | None = None,
        test: str = "",
        case: str = "",
        chosen: Mapping[str, str] | None = None,
    ) -> Settings:
        """Return the settings of a test.

        Args:
            marker: Arguments of its ``freeze`` marker.
            test: What settings call the test.
            case: What error messages call it, with its case and its place.
            chosen: The test's own model and data set where several are given, by option name.

        Raises:
            SettingsError: If a value is bad or no preset fits this machine.
        """
        sources = self._sources(marker or {}, test, case or test)
        settings = resolve(sources, self._choose_preset, chosen)
        if needs_depth(settings):
            settings = at_depth(settings, self._num_layers(settings))
        if self.session_settings.devices and settings.device != "auto":
            name = next(source.name_of("device") for source in sources if source.values.get("device") is not None)
            raise SettingsError(
                f"{name}={settings.device}: with --freeze-devices, runs train on any of its devices. Leave it out, or "
                "override it with --freeze-device=auto."
            )
        if self.session_settings.cluster and settings.device != "auto":
            name = next(source.name_of("device") for source in sources if source.values.get("device") is not None)
            raise SettingsError(
                f"{name}={settings.device}: with --freeze-cluster, runs train on any device of the cluster. Leave it "
                "out, or override it with --freeze-device=auto."
            )
        return settings

    def experiments(self, marker: Mapping[str, object], test: str, case: str) -> dict[str, dict[str, str]]:
        """Return the models and data sets between which tests are divided, every model with every data set.

        Args:
            marker: Arguments of the ``freeze`` marker of a test.
            test: What settings call the test.
            case: What error messages call it, with its case and its place.

        Returns:
            Values by option name, as ``settings`` takes them, by what the ids of the tests begin with; with one model
            and one data set, nothing, by an empty text.

        Raises:
            SettingsError: If a value is bad.
        """
        lists = listed_values(self._sources(marker, test, case))
        combinations = [dict(zip(lists, texts, strict=True)) for texts in product(*lists.values())]
        return dict(zip(joined_names(*lists.values()), combinations, strict=True))

    def _sources(self, marker: Mapping[str, object], test: str, case: str) -> list[Source]:
        """Return the sources of a test's options, the strongest first.

        Raises:
            SettingsError: If the marker has an argument that is no option.
        """
        check_names(marker, f"freeze marker of {case}")
        return [self._flags, Source(label=_marker_label(case), origin=_marker_label(test), values=marker), self._ini]

    def sentence(
        self, error: FreezebenchError, marker: Mapping[str, object], case: str, *, is_of_several: bool = False
    ) -> str:
        """Return an error's message, with the test in front if its marker may be the cause.

        Args:
            error: An error of the test's settings, model or data.
            marker: Arguments of its ``freeze`` marker.
            case: What error messages call the test.
            is_of_several: Whether the test is divided between models, of which this one lacks a configuration.
        """
        message = str(error)
        if case in message:
            return message
        causes = next((names for kind, names in _CAUSES if isinstance(error, kind)), ())
        is_cause = "freeze marker of " in message or any(
            name in marker and name not in self._flags.values for name in causes
        )
        is_misfit = is_of_several and isinstance(error, SpecError)
        return f"{case}: {message}" if is_cause or is_misfit else message

    def grid(self, settings: Settings) -> list[FreezeSpec]:
        """Return the configurations of a test, least frozen first; the depth comes from the configuration file alone.

        Raises:
            FreezebenchError: If the model's depth cannot be read, or a named configuration cannot train.
        """
        return list(self._configurations(settings).specs)

    def left_out(self, settings: Settings) -> Mapping[str, str]:
        """Return why some configurations of a test cannot train although nobody named them, by canonical id.

        Raises:
            FreezebenchError: As ``grid``.
        """
        return self._configurations(settings).left_out

    def _configurations(self, settings: Settings) -> Configurations:
        """Return the configurations of a test; all tests of a grid have the same ones.

        Raises:
            FreezebenchError: As ``grid``.
        """
        if settings not in self._known_configurations:
            self._known_configurations[settings] = configurations(settings, self._num_layers(settings))
        return self._known_configurations[settings]

    def _num_layers(self, settings: Settings) -> int:
        """Return the depth of a test's model.

        Raises:
            FreezebenchError: If it cannot be read, or is not the stated one.
        """
        stated = settings.num_layers
        # Only a factory (module:function) has no configuration file to read the depth from.
        num_layers = stated if stated and ":" in settings.model else self._read_depth(settings.model)
        if stated and stated != num_layers:
            raise SettingsError(
                f"num_layers={stated} was given, but {settings.model} has {num_layers} layers. "
                "Leave it out: it is meant for factories."
            )
        return num_layers

    def _choose_preset(self) -> tuple[str, str]:
        """Return the default preset of this machine and the reason; looked up once.

        Raises:
            SettingsError: If there is a GPU but no data, where falling back would quietly compare something else.
        """
        if self._preset is None:
            has_reference = self.has_reference or self.session_settings.anchor is not None
            self._preset = self._default_preset(may_fall_back=not in_ci() and not has_reference)
        return self._preset


def _marker_label(test: str) -> str:
    """Return the name of a marker's argument as ``Source`` takes it."""
    return "freeze marker of " + test.replace("{", "{{").replace("}", "}}") + ", {name}"
