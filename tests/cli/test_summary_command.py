"""`gpunet summary` and `gpunet profile`: models by name, runs, and mistakes."""

import gzip
import json
import re

import pytest


def test_a_model_by_name(gpunet_command):
    code, output = gpunet_command("summary", "ResNet18", "--input", "3,224,224", "--depth", 1)
    assert code == 0 and "11,689,512 (44.6 MiB with buffers)" in output
    assert re.search(r"├─conv1 \(Conv2d\) +\[1, 64, 112, 112\] +9,408 +36.8 KiB", output) and "BasicBlock" not in output


def test_types_of_inputs(gpunet_command):
    code, output = gpunet_command("summary", "gpt2", "--input", "int64:12", "--batch-size", 3, "--json")
    found = json.loads(output)
    assert code == 0 and found["parameters"] == 124_439_808
    assert found["layers"][0]["output_shape"] == "[3, 12, 50257]"


def test_a_run(gpunet_command, digits_run):
    code, output = gpunet_command("summary", digits_run)
    assert code == 0 and re.search(r"├─1 \(Linear\) +\[1, \d+\]", output)
    code, output = gpunet_command("profile", digits_run, "--steps", 2, "--rows", 4)
    assert code == 0 and output.startswith("2 training steps in ")
    assert re.search(r"^linear_relu +4 ", output, re.M) and re.search(r"^MLP.1 \(Linear\) +2 ", output, re.M)


def test_a_trace(gpunet_command, tmp_path):
    code, output = gpunet_command("profile", "lenet5", "--input", "1,28,28", "--batch-size", 2, "--steps", 1, "--trace",
                                  "t.json.gz")
    assert code == 0 and "Trace: t.json.gz" in output and re.search(r"LeNet5.features.0 \(Conv2d\) +1 ", output)
    names = {line["name"] for line in json.loads(gzip.decompress((tmp_path / "t.json.gz").read_bytes()))["traceEvents"]}
    assert {"conv", "ConvolutionBackward0", "LeNet5.features.0", "Optimizer.step#Adam.step"} <= names


@pytest.mark.parametrize("arguments, message", [
    (["summary", "resnet"], "resnet is neither the folder of a run nor the name of a model; did you mean resnet"),
    (["summary", "zzz"], "the models are alexnet, "),
    (["summary", "no/run"], "no/run"),
    (["summary", "lenet5", "--input", "3,28,28"], "lenet5 cannot take inputs of shape [1, 3, 28, 28]: conv2d:"),
    (["summary", "lenet5", "--input", "1,28"], "give other ones by --input."),
    (["summary", "lenet5", "--input", "1;28"], "'1;28' is no shape of an input; write numbers such as 3,224,224"),
    (["summary", "lenet5", "--input", "0,28"], "'0,28' is no shape"),
    (["summary", "lenet5", "--input", "int5:28"], "'int5:28' is no shape"),
    (["summary", "{run}", "--input", "1,8,8"], "--input cannot be given for a run"),
    (["profile", "{run}", "--input", "1,8,8"], "--input cannot be given for a run"),
    (["profile", "lenet5"], "Missing option '--input'"),
    (["profile", "resnet"], "did you mean"),
    (["profile", "lenet5", "--input", "2,28,28"], "lenet5 cannot take inputs of shape [8, 2, 28, 28]"),
    (["profile", "lenet5", "--input", "1,28,28", "--trace", "no/folder/t.json"], "no/folder"),
    (["profile", "lenet5", "--input", "1,28,28", "--steps", "0"], "'--steps'"),
])
def test_errors(gpunet_command, digits_run, arguments, message):
    code, output = gpunet_command(*(each.format(run=digits_run) for each in arguments))
    assert code == 2 and message in output, output
