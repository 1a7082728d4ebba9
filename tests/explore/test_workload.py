"""The networks that ship against published counts, and files that break a rule."""

from __future__ import annotations

from pathlib import Path

import pytest

from explore.workload import Workload, load_workload, shipped
from rtl_gen.errors import UserError
from rtl_gen.mapper import check_layer

# MACs: what flop counters report for torchvision's models (its documentation, in G: resnet18 1.81,
# resnet50 4.09, vgg16 15.47, mobilenet_v2 0.30, vit_b_16 17.56); 40.55 M and 125.49 M for the CIFAR
# ResNets; 313 M for VGG-16 on CIFAR-10 (Li et al., arXiv 1608.08710, table 1: 3.13e8).
MACS = {
    "mobilenet_v2": 300_774_272,
    "resnet18": 1_814_073_344,
    "resnet20": 40_551_040,
    "resnet50": 4_089_184_256,
    "resnet56": 125_485_696,
    "vgg16": 313_201_664,
    "vgg16_imagenet": 15_470_264_320,
    "vit_b16": 17_563_828_224,
}
GIGAMACS = {
    "mobilenet_v2": 0.30,
    "resnet18": 1.81,
    "resnet50": 4.09,
    "vgg16_imagenet": 15.47,
    "vit_b16": 17.56,
}
# Parameters with batch normalization (2 a channel) and the bias of the fully connected layers:
# torchvision's documentation; He et al., table 6 (0.27 M, 0.85 M) to the digit as in PyTorch
# reimplementations; VGG-16's 14,728,266 of pytorch-cifar counts convolution biases (4,224) too,
# torchvision's 138,357,544 counts them instead of normalization.
PARAMETERS = {
    "mobilenet_v2": 3_504_872,
    "resnet18": 11_689_512,
    "resnet20": 269_722,
    "resnet50": 25_557_032,
    "resnet56": 853_018,
    "vgg16": 14_728_266 - 4_224,
    "vgg16_imagenet": 138_357_544 + 4_224,
    "vit_b16": 86_567_656,
}
#: Layers with weights on the main path.
DEPTHS = {
    **{"mobilenet_v2": 53, "resnet18": 18, "resnet20": 20, "resnet50": 50, "resnet56": 56},
    **{"vgg16": 14, "vgg16_imagenet": 16, "vit_b16": 1 + 12 * 6 + 1},
}


def parameters(workload: Workload) -> int:
    if workload.name == "vit_b16":
        return transformer_parameters(workload)
    convolutions = [layer for layer in workload.computed if layer.kind == "conv"]
    linear = [layer for layer in workload.computed if layer.kind == "fc"]
    normalization = 2 * sum(layer.out_channels for layer in convolutions)
    return workload.weights + normalization + sum(layer.out_channels for layer in linear)


def transformer_parameters(workload: Workload) -> int:
    """Weights and biases; two normalizations a block and one; class token; 197 positions."""
    products = ("scores", "context")
    stored = [layer for layer in workload.computed if not layer.name.endswith(products)]
    width, positions = stored[0].out_channels, 197
    total = sum(layer.weights + layer.out_channels for layer in stored)
    return total + 2 * width * (2 * 12 + 1) + width + positions * width


def test_all_networks_ship() -> None:
    assert shipped() == tuple(sorted(MACS))


@pytest.mark.parametrize("name", sorted(MACS))
def test_published_counts(name: str) -> None:
    workload = load_workload(name)
    assert workload.name == name
    assert workload.macs == MACS[name]
    assert parameters(workload) == PARAMETERS[name]
    if name in GIGAMACS:
        assert round(workload.macs / 1e9, 2) == GIGAMACS[name]


@pytest.mark.parametrize("name", sorted(MACS))
def test_depth_of_the_name_and_no_layer_is_refused(name: str) -> None:
    workload = load_workload(name)
    main_path = [layer for layer in workload.computed if not layer.name.endswith("downsample")]
    assert len(main_path) == DEPTHS[name]
    for layer in workload.computed:
        check_layer(layer)


def test_depthwise_layers_and_attention_are_groups() -> None:
    depthwise = [
        layer for layer in load_workload("mobilenet_v2").computed if layer.name.endswith("wise")
    ]
    assert len(depthwise) == 17
    assert all(layer.groups == layer.in_channels == layer.out_channels for layer in depthwise)
    scores = [layer for layer in load_workload("vit_b16").computed if layer.name.endswith("scores")]
    assert len(scores) == 12
    assert {(layer.groups, layer.taps, layer.macs) for layer in scores} == {
        (12, 64, 12 * 197 * 197 * 64)
    }


def test_codes_leave_the_chip_unless_the_file_says_sums(tmp_path: Path) -> None:
    for name in shipped():
        assert {layer.output for layer in load_workload(name).layers} == {"quantized"}
    raw = load_workload(write(tmp_path, GOOD.replace("kind: fc,", "kind: fc, output: raw,")))
    assert [layer.output for layer in raw.layers] == ["quantized", "quantized", "raw"]


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


def test_layers_have_all_their_fields_and_a_product_reads_a_row_a_pixel(tmp_path: Path) -> None:
    text = """\
input: {channels: 4, height: 6, width: 6}
layers:
  - {name: dw, kind: conv, in_channels: 4, in_height: 6, in_width: 6, out_channels: 4, groups: 4,
     kernel_height: 3, kernel_width: 3, dilation: 2, padding: [2, 0, 1, 1], batch: 2}
  - {name: mm, kind: matmul, in_channels: 4, in_height: 15, out_channels: 9}
"""
    first, second = load_workload(write(tmp_path, text)).layers
    assert (first.padding, first.dilation, first.batch, first.groups) == ((2, 0, 1, 1), 2, 2, 4)
    assert (first.out_height, first.out_width) == (5, 3)
    assert second.macs == 15 * 4 * 9
    with pytest.raises(UserError, match="layer 'mm' must read what 'dw' gives"):
        load_workload(write(tmp_path, text.replace("in_height: 15", "in_height: 5")))


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
    with pytest.raises(UserError, match=r"workload must be one of mobilenet_v2, .*, not 'lenet'"):
        load_workload("lenet")
