"""What was asked for: option values of command line, ini file and markers, resolved into settings and grids."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from freezebench.config.session_settings import in_ci, resolve_session
from freezebench.config.settings import Settings, check_names, resolve
from freezebench.config.sources import Source
from freezebench.errors import SettingsError, SpecError
from freezebench.specs.grid import parse_grid
from freezebench.specs.presets import PRESETS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from freezebench.specs.freeze import FreezeSpec


class SessionOptions:
    """The options of one session, and the settings of its tests.

    Attributes:
        session_settings: The options that hold for the whole session.
        has_reference: Whether results are going to be compared with a saved run.
    """

    def __init__(self, flags: Mapping[str, object], ini: Mapping[str, object], *, has_reference: bool = False) -> None:
        """Take raw option values by name.

        Args:
            flags: Those of the command line.
            ini: Those of the ini file.
            has_reference: Whether results are going to be compared with a saved run.

        Raises:
            SettingsError: If a value is bad.
        """
        self._flags = Source(label="{flag}", values=flags)
        self._ini = Source(label="ini key {ini}", values=ini)
        self.has_reference = has_reference
        self._default_preset: tuple[str, str] | None = None
        for source in (self._flags, self._ini):
            source.check()
        self.session_settings = resolve_session((self._flags, self._ini), has_reference=has_reference)

    @property
    def is_anything(self) -> bool:
        """Whether any flag or ini key of ours was given."""
        return bool(self._flags.values or self._ini.values)

    @property
    def is_plan_only(self) -> bool:
        """Whether the plan is shown and nothing runs."""
        return self.session_settings.plan

    @property
    def report_folder(self) -> Path | None:
        """The folder that ``--freeze-report`` or its ini key names."""
        folder = self.session_settings.report
        return None if folder is None else Path(folder)

    def settings(self, marker: Mapping[str, object] | None = None, test: str = "") -> Settings:
        """Return the settings of a test.

        Args:
            marker: Arguments of its ``freeze`` marker.
            test: What error messages call the test.

        Raises:
            SettingsError: If a value is bad or no preset fits this machine.
        """
        marker = marker or {}
        check_names(marker, f"freeze marker of {test}")
        place = "freeze marker of " + test.replace("{", "{{").replace("}", "}}") + ", {name}"
        sources = [self._flags, Source(label=place, values=marker), self._ini]
        return resolve(sources, self._choose_preset)

    def grid(self, settings: Settings) -> list[FreezeSpec]:
        """Return the configurations of a test, least frozen first; the depth comes from the configuration file alone.

        Raises:
            FreezebenchError: If the model's depth cannot be read or something that was named does not fit it.
        """
        from freezebench.models.source import ModelSource

        stated = settings.num_layers
        # Only a factory (module:function) has no configuration file to read the depth from.
        num_layers = stated if stated and ":" in settings.model else ModelSource.resolve(settings.model).num_layers
        if stated and stated != num_layers:
            raise SettingsError(
                f"num_layers={stated} was given, but {settings.model} has {num_layers} layers. "
                "Leave it out: it is meant for factories."
            )
        for option, spec in settings.named_specs:
            try:
                parse_grid(spec, num_layers, settings.model)
            except SpecError as error:
                raise SpecError(f"{option}: {error}") from error
        return parse_grid(settings.grid, num_layers, settings.model)

    def _choose_preset(self) -> tuple[str, str]:
        """Return the default preset of this machine and the reason; looked up once.

        Raises:
            SettingsError: If there is a GPU but no data, where falling back would quietly compare something else.
        """
        if self._default_preset is None:
            self._default_preset = _default_preset(must_not_fall_back=in_ci() or self.has_reference)
        return self._default_preset


def _default_preset(*, must_not_fall_back: bool) -> tuple[str, str]:
    """Return ``distilbert-sst2`` where a GPU and its assets are, else ``embedded``, with the reason."""
    from freezebench.models.availability import cuda_visible, hub_state

    if not cuda_visible():
        return "embedded", "the default without a CUDA GPU"
    wanted = PRESETS["distilbert-sst2"]
    state = hub_state(wanted.model, wanted.data.source)
    if state.available:
        return wanted.name, f"the default with a CUDA GPU, {state.reason}"
    if must_not_fall_back:
        raise SettingsError(
            f"the default preset {wanted.name} needs {wanted.model} and {wanted.data.source}, but {state.reason}. "
            "Under CI and with a reference there is no falling back: download them once, or name "
            "--freeze-preset=embedded."
        )
    return "embedded", f"the fallback, since {state.reason}"
