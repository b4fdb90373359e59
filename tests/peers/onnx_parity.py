"""Compares exported ONNX files, run by onnxruntime, with preceptor-predict: every model, folded and not, batches of 1 and 3.

Needs onnxruntime and NumPy; without them it says so and ends with 77, which ctest shows as skipped. Usage:
python onnx_parity.py BIN_DIR [MODEL...]
"""

import csv
import json
import pathlib
import subprocess
import sys
import tempfile

try:
    import numpy
    import onnxruntime
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

MODELS = ["resnet18", "resnet34", "resnet50", "resnet101", "resnet8", "resnet14", "resnet20",
          "densenet121", "densenet169", "densenet16", "densenet28", "cbr-larget", "cbr-tiny"]
ALLOWED = 2e-5  # of the largest score; measured 3e-6 at most, and leaving out the epsilon of batch norms costs more


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def write_pnm(path, pixels):
    kind = "P5" if pixels.shape[2] == 1 else "P6"
    header = f"{kind}\n{pixels.shape[1]} {pixels.shape[0]}\n255\n"
    path.write_bytes(header.encode() + pixels.tobytes())


def ours(bin_dir, checkpoint, images, batch, *flags):
    text = run(f"{bin_dir}/preceptor-predict", "--checkpoint", checkpoint, "--batch", str(batch), *flags, *images)
    return numpy.array([[float(value) for value in row[1:]] for row in list(csv.reader(text.splitlines()))[1:]])


def theirs(session, name, inputs, batch):
    return numpy.concatenate([session.run([name], {"input": inputs[at:at + batch]})[0]
                              for at in range(0, len(inputs), batch)])


def compare(bin_dir, folder, model, data, stem):
    run(f"{bin_dir}/preceptor-train", "--data", data, "--model", model, *stem, "--epochs", "1", "--batch", "8",
        "--bootstrap", "0", "--out", f"{folder}/run")
    checkpoint = f"{folder}/run/last.safetensors"
    worst = 0
    for fold in ([], ["--fold"]):
        file = f"{folder}/model.onnx"
        run(f"{bin_dir}/preceptor-export", checkpoint, "--out", file, "--probabilities", *fold)
        session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
        card = session.get_modelmeta().custom_metadata_map
        size = int(card["height"]), int(card["width"]), int(card["in_channels"])
        mean, deviation = (numpy.array(json.loads(card[key]), numpy.float32) for key in ("mean", "deviation"))
        pixels = numpy.random.default_rng(1).integers(0, 256, (3, *size), dtype=numpy.uint8)
        images = [f"{folder}/{i}.pnm" for i in range(3)]
        for path, image in zip(images, pixels):
            write_pnm(pathlib.Path(path), image)
        inputs = ((pixels.astype(numpy.float32) / 255 - mean) / deviation).transpose(0, 3, 1, 2)
        for batch in (1, 3):
            for name, flags in (("logits", ["--logits"]), ("probabilities", [])):
                expected = ours(bin_dir, checkpoint, images, batch, *flags)
                error = numpy.abs(theirs(session, name, inputs, batch) - expected).max() / numpy.abs(expected).max()
                worst = max(worst, error)
    return worst


def main():
    bin_dir, wanted = sys.argv[1], sys.argv[2:]
    cases = [(model, f"phantom:{kind}?n=16&val=8&test=8&size=40", [])
             for model in MODELS for kind in ("chest", "fundus")[:2 if model in ("resnet8", "densenet16") else 1]]
    cases += [(model, "phantom:chest?n=16&val=8&test=8&size=72", ["--stem", "imagenet"])
              for model in ("resnet18", "densenet121")]
    failed = False
    for model, data, stem in cases:
        if wanted and model not in wanted:
            continue
        with tempfile.TemporaryDirectory() as folder:
            error = compare(bin_dir, folder, model, data, stem)
        failed |= not error <= ALLOWED
        print(f"{model:12} {data:45} {' '.join(stem):16} largest relative difference {error:.2g}", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
