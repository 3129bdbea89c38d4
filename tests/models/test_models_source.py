"""Resolving the names of models, and reading depth, class names and hashes without torch."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from freezebench.errors import ModelError
from freezebench.models.source import ModelSource


@pytest.fixture
def factories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a module of factories, one of which declares depth and class names."""
    (tmp_path / "freezebench_deep.py").write_text(
        "def factory(num_labels): ...\n"
        "def silent(num_labels): ...\n"
        "factory.num_layers = 4\n"
        "factory.label_names = ('no', 'yes')\n"
    )
    (tmp_path / "freezebench_broken.py").write_text("raise OSError('disk')\n")
    (tmp_path / "freezebench_lacking.py").write_text("import no_such_module\n")
    monkeypatch.syspath_prepend(tmp_path)
    return "freezebench_deep"


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("embedded", "embedded"),
        ("distilbert-base-uncased", "hub"),
        ("owner/name", "hub"),
        ("package.module:factory", "factory"),
        ("module:Class.method", "factory"),
    ],
)
def test_names_are_resolved_to_kinds(source: str, kind: str) -> None:
    """The syntax distinguishes names of the Hub, factories and the embedded checkpoint."""
    assert ModelSource.resolve(source).kind == kind


def test_a_folder_takes_precedence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of the name is used before the Hub; only ``embedded`` always means the checkpoint."""
    monkeypatch.chdir(tmp_path)
    for name in ("name", "embedded"):
        (tmp_path / name).mkdir()
    assert [ModelSource.resolve(name).kind for name in ("name", "embedded", "./embedded")] == [
        "folder",
        "embedded",
        "folder",
    ]


@pytest.mark.parametrize("source", ["", " ", "/no/such/folder", "./none", "~/no-such-folder", "a/b/c"])
def test_a_path_without_a_folder_is_refused(source: str) -> None:
    """A name with the syntax of a path is not looked up on the Hub."""
    with pytest.raises(ModelError, match="there is no such folder"):
        ModelSource.resolve(source)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("m" * 300, r"'m{80}': the path cannot be read \(File name too long\)"),
        ("./" + "m" * 300, r"the path cannot be read \(File name too long\)"),
        ("~no-such-user/model", r"'~no-such-user/model': there is no home folder of such a user"),
        ("a\0b", r"'a\\x00b': the path cannot be read"),
    ],
)
def test_what_is_no_path_is_refused(source: str, message: str) -> None:
    """The message shows the beginning of a long name."""
    with pytest.raises(ModelError, match=message):
        ModelSource.resolve(source)


def test_a_file_is_refused(tiny_model: Path) -> None:
    """A checkpoint is given by its folder, not by one of its files."""
    with pytest.raises(ModelError, match="it is a file"):
        ModelSource.resolve(str(tiny_model / "config.json"))


@pytest.mark.parametrize("source", ["embedded", "json:loads"])
def test_only_the_hub_has_revisions(source: str) -> None:
    """A revision that would be ignored is an error."""
    with pytest.raises(ModelError, match="only models from the Hub have revisions"):
        ModelSource.resolve(source, "main")


def test_the_depth_of_a_folder_is_that_of_its_configuration(tiny_model: Path) -> None:
    """The depth is in config.json; a checkpoint that was not fine-tuned has no class names."""
    source = ModelSource.resolve(str(tiny_model))
    assert source.num_layers == 2
    assert source.label_names is None


def test_a_factory_declares_depth_and_class_names(factories: str) -> None:
    """Attributes of the function give them without making a model."""
    source = ModelSource.resolve(f"{factories}:factory")
    source.check()
    assert source.num_layers == 4
    assert source.label_names == ("no", "yes")
    assert source.file_hashes() is None
    silent = ModelSource.resolve(f"{factories}:silent")
    assert silent.label_names is None
    with pytest.raises(ModelError, match=r"Write silent\.num_layers = N .* num_layers=N in the freeze marker"):
        _ = silent.num_layers


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("freezebench_none:factory", "there is no module 'freezebench_none'.*pythonpath"),
        ("freezebench_lacking:factory", "there is no module 'no_such_module'"),
        ("freezebench_broken:factory", "importing freezebench_broken fails with OSError: disk"),
        ("freezebench_deep:none", "no attribute 'none'"),
        ("freezebench_deep:factory.num_layers", "is a int, not a function"),
    ],
)
def test_a_factory_that_cannot_be_imported_is_refused(factories: str, source: str, message: str) -> None:
    """The message gives the part of the name that is wrong."""
    assert factories
    with pytest.raises(ModelError, match=message):
        ModelSource.resolve(source).check()


def test_the_hash_is_that_of_the_weights(tiny_model: Path, tmp_path: Path) -> None:
    """A copy has the same hash; when its weights change, the hash changes."""
    copy = Path(shutil.copytree(tiny_model, tmp_path / "copy"))
    original, source = ModelSource.resolve(str(tiny_model)), ModelSource.resolve(str(copy))
    assert source.file_hashes() == original.file_hashes()
    content = bytearray((copy / "model.safetensors").read_bytes())
    content[-1] ^= 1
    (copy / "model.safetensors").write_bytes(content)
    before, after = original.file_hashes(), source.file_hashes()
    assert before is not None
    assert after is not None
    assert before.weights_sha256 != after.weights_sha256
    assert before.differing(after) == ["model.safetensors"]


def test_nothing_read_at_collection_imports_torch(tiny_model: Path) -> None:
    """Depth, class names, checks and hashes of a folder import neither torch nor the Hub's client."""
    code = (
        "import sys\n"
        "from freezebench.models.source import ModelSource\n"
        f"source = ModelSource.resolve({str(tiny_model)!r})\n"
        "source.num_layers, source.label_names, source.check(), source.file_hashes()\n"
        "heavy = {'torch', 'transformers', 'datasets', 'numpy', 'huggingface_hub', 'safetensors'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
