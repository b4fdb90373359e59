"""Trains for three epochs, once interrupted, and reads the event file with TensorBoard: every value, text and picture.

Needs tensorboard and NumPy; without them it says so and ends with 77, which ctest shows as skipped. Usage:
python read_tensorboard.py BIN_DIR
"""

import csv
import json
import pathlib
import subprocess
import sys
import tempfile

try:
    import numpy
    from tensorboard.backend.event_processing import event_accumulator
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

TAGS = {"learning_rate": "schedule/learning rate", "train_loss": "loss/training", "label_loss": "loss/training, labels",
        "transfer_loss": "loss/training, transfer", "train_auc": "AUC/training", "val_loss": "loss/validation",
        "val_auc": "AUC/validation", "val_accuracy": "accuracy/validation",
        "images_per_second": "speed/images per second", "seconds": "speed/seconds per epoch"}


def main():
    bin_dir = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder:
        run = pathlib.Path(folder) / "run"
        subprocess.run([f"{bin_dir}/preceptor-train", "--data", "phantom:chest?n=64&val=32&test=32", "--model", "resnet8",
                        "--epochs", "3", "--batch", "16", "--bootstrap", "0", "--quiet", "--out", run], check=True)
        # A killed process may leave an epoch too many, and half a record.
        [events] = run.glob("events.out.tfevents.*")
        with events.open("ab") as file:
            file.write(events.read_bytes()[-400:] + b"half")
        subprocess.run([f"{bin_dir}/preceptor-train", "--resume", run, "--quiet"], check=True)
        log = event_accumulator.EventAccumulator(str(run), {event_accumulator.SCALARS: 0, event_accumulator.IMAGES: 0,
                                                            event_accumulator.TENSORS: 0})
        log.Reload()
        with (run / "metrics.csv").open() as file:
            rows = list(csv.DictReader(file))
        result = json.loads((run / "result.json").read_text())
        compared = 0
        for column, tag in TAGS.items():
            scalars = log.Scalars(tag)
            assert [event.step for event in scalars] == [1, 2, 3], (tag, [event.step for event in scalars])
            for event, row in zip(scalars, rows):
                assert event.value == numpy.float32(row[column]), (tag, event.value, row[column])
                compared += 1
        [test] = log.Scalars("test/auc_macro")
        assert test.value == numpy.float32(result["test"]["auc_macro"])
        [picture] = log.Images("training images")
        assert picture.encoded_image_string.startswith(b"\x89PNG") and picture.width == picture.height == 134
        [text] = log.Tensors("configuration")
        assert b"| model | resnet8 |" in text.tensor_proto.string_val[0]
        assert set(log.Tags()["scalars"]) == {*TAGS.values(), "test/auc_macro", "test/accuracy", "test/loss"}
        print(f"TensorBoard reads {compared} values, a picture and the texts as they were written")


if __name__ == "__main__":
    main()
