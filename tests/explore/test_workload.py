"""The networks that ship against published counts, and files that break a rule."""

from __future__ import annotations

from pathlib import Path

import pytest

from explore.workload import Workload, load_workload, shipped
from rtl_gen.errors import UserError
from rtl_gen.schedule import check_layer

# MACs: 1,814,073,344 and 4,089,184,256 are what flop counters report for torchvision's models
# (its documentation: 1.81 and 4.09 GFLOPS); 40.55 M and 125.49 M for the CIFAR ResNets; 313 M for
# VGG-16 on CIFAR-10 (Li et al., arXiv 1608.08710, table 1: 3.13e8).
MACS = {
    "resnet18": 1_814_073_344,
    "resnet20": 40_551_040,
    "resnet50": 4_089_184_256,
    "resnet56": 125_485_696,
    "vgg16": 313_201_664,
}
# Parameters with batch normalization (2 a channel) and the bias of the fully connected layer:
# torchvision's documentation; He et al., table 6 (0.27 M, 0.85 M) to the digit as in PyTorch
# reimplementations; VGG-16's 14,728,266 of pytorch-cifar counts convolution biases (4,224) too.
PARAMETERS = {
    "resnet18": 11_689_512,
    "resnet20": 269_722,
    "resnet50": 25_557_032,
    "resnet56": 853_018,
    "vgg16": 14_728_266 - 4_224,
}


def parameters(workload: Workload) -> int:
    convolutions = [layer for layer in workload.computed if layer.kind == "conv"]
    linear = [layer for layer in workload.computed if layer.kind == "fc"]
    normalization = 2 * sum(layer.out_channels for layer in convolutions)
    return workload.weights + normalization + sum(layer.out_channels for layer in linear)


def test_all_networks_ship() -> None:
    assert shipped() == tuple(sorted(MACS))


@pytest.mark.parametrize("name", sorted(MACS))
def test_published_counts(name: str) -> None:
    workload = load_workload(name)
    assert workload.name == name
    assert workload.macs == MACS[name]
    assert parameters(workload) == PARAMETERS[name]


@pytest.mark.parametrize("name", sorted(MACS))
def test_depth_of_the_name_and_no_layer_is_refused(name: str) -> None:
    workload = load_workload(name)
    main_path = [layer for layer in workload.computed if not layer.name.endswith("downsample")]
    depth = {"vgg16": 14}.get(name, int(name.removeprefix("resnet").removeprefix("vgg")))
    assert len(main_path) == depth
    for layer in workload.computed:
        check_layer(layer)


@pytest.mark.parametrize("name", sorted(MACS))
def test_unique_layers_weigh_as_much_as_all(name: str) -> None:
    workload = load_workload(name)
    unique = workload.unique()
    assert sum(times for _, times in unique) == len(workload.computed)
    assert sum(layer.macs * times for layer, times in unique) == workload.macs
    shapes = [layer.to_mapping() | {"name": ""} for layer, _ in unique]
    assert all(shapes.count(shape) == 1 for shape in shapes)


def test_resnet20_has_seven_shapes() -> None:
    assert [times for _, times in load_workload("resnet20").unique()] == [1, 6, 1, 5, 1, 5, 1]


GOOD = """\
name: mine
input: {channels: 2, height: 4, width: 4}
layers:
  - {name: a, kind: conv, in_channels: 2, in_height: 4, in_width: 4, out_channels: 3,
     kernel_height: 3, kernel_width: 3, padding: 1}
  - {name: b, kind: conv, after: a, in_channels: 3, in_height: 4, in_width: 4, out_channels: 5,
     kernel_height: 1, kernel_width: 1, stride: 2}
  - {name: c, kind: fc, in_channels: 20, out_channels: 7}
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "net.yaml"
    path.write_text(text)
    return path


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    workload = load_workload(write(tmp_path, GOOD))
    assert workload.name == "mine"
    assert workload.macs == 16 * 3 * 18 + 4 * 5 * 3 + 140


def test_without_input_layers_need_no_chain(tmp_path: Path) -> None:
    text = GOOD.replace("input: {channels: 2, height: 4, width: 4}\n", "").replace("after: a, ", "")
    text = text.replace("in_channels: 20", "in_channels: 33").replace("name: mine\n", "")
    workload = load_workload(write(tmp_path, text))
    assert workload.name == "net"
    assert workload.computed[-1].in_channels == 33


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("in_channels: 20", "in_channels: 21", "layer 'c' must read what 'b' gives"),
        ("height: 4, width: 4}", "height: 5, width: 4}", "layer 'a' must read what 'input' gives"),
        ("after: a", "after: x", "after must name an earlier layer, not 'x'"),
        ("after: a", "after: [a]", "after must name an earlier layer, not ['a']"),
        ("name: b", "name: a", "names of layers must differ, not 'a' twice"),
        ("kind: fc", "kind: dense", "layer 'c': kind must be one of"),
        ("name: mine", "name: ../x", "name must do as part of a file name, not '../x'"),
        ("name: mine", "nom: mine", "keys must be among name, source, input, layers, not 'nom'"),
        ("channels: 2, height", "channel: 2, height", "input must have the keys"),
        ("{channels: 2,", "{channels: true,", "input channels must be a positive integer"),
        ("input: {channels: 2, height: 4, width: 4}", "", "`after` must come with the network's"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in GOOD
    with pytest.raises(UserError) as error:
        load_workload(write(tmp_path, GOOD.replace(old, new, 1)))
    assert message in str(error.value)


@pytest.mark.parametrize("text", ["layers: []", "layers: 3", "name: x", "layers: [1]"])
def test_layers_must_be_there(tmp_path: Path, text: str) -> None:
    with pytest.raises(UserError, match="layers must be a list of mappings"):
        load_workload(write(tmp_path, text))


def test_only_pools_is_no_workload(tmp_path: Path) -> None:
    pool = "{name: p, kind: pool, in_channels: 2, in_height: 4, in_width: 4, out_channels: 2}"
    with pytest.raises(UserError, match="must have one that is not a pool"):
        load_workload(write(tmp_path, f"layers: [{pool}]"))


def test_unknown_name_lists_those_that_ship() -> None:
    with pytest.raises(UserError, match=r"workload must be one of resnet18, .*, not 'lenet'"):
        load_workload("lenet")
