"""The groups of options that verbs share."""

from pathlib import Path

import pytest

from polpkg.cli.options import IndexOptions, InstanceOptions, TargetOptions
from polpkg.errors import UsageError


def test_indexes_by_name():
    assert IndexOptions(["a=http://host/x?y=z", "b=./dir"]).indexes == {"a": "http://host/x?y=z", "b": "./dir"}


@pytest.mark.parametrize("texts", [["nothing"], ["=x"], ["a="], ["a=x", "a=y"]])
def test_malformed_and_repeated_indexes(texts):
    with pytest.raises(UsageError):
        _ = IndexOptions(texts).indexes


def test_parameters_and_options_of_an_instance():
    wanted = InstanceOptions("tenant-a", ["guests=web,db"], ["vmv:sealed-guests"])
    assert wanted.parameters == {"guests": "web,db"}
    assert wanted.options == (("vmv", "sealed-guests"),)


@pytest.mark.parametrize("text", ["vmv", ":x", "vmv:"])
def test_a_malformed_option(text):
    with pytest.raises(UsageError):
        _ = InstanceOptions(option=[text]).options


def test_one_target_at_a_time():
    TargetOptions(root=Path("x")).check()
    with pytest.raises(UsageError, match="--root and --host"):
        TargetOptions(root=Path("x"), host="local").check()
