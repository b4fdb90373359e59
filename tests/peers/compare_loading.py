"""Times the loading of images, ours and a PyTorch DataLoader's, interleaved in rounds.

    python tests/peers/compare_loading.py FOLDER [--workers 2] [--rounds 5] [--seconds 4] [--out docs/benchmarks/data.md]

FOLDER holds images_1024 and images_224 with PNG files. Both give batches of 32 grey images of 224x224 bytes: ours by
preceptor-bench loading with as many threads as the DataLoader has worker processes; torchvision's Resize with antialias
on what Pillow decodes, PILToTensor, persistent workers, the default collate. "cached" is ours with the file that
preceptor-data cache writes, against the DataLoader decoding the 224-pixel files. Whole epochs, the first not timed; the
ratio of a round is ours over torch's.
"""

import argparse
import csv
import datetime
import json
import os
import pathlib
import platform
import statistics
import subprocess
import tempfile
import time

import PIL.features
import torch
import torchvision
from PIL import Image

BATCH = 32
SIZE = 224


class Films(torch.utils.data.Dataset):
    def __init__(self, paths):
        self.paths = paths
        self.transform = torchvision.transforms.Compose(
            [
                torchvision.transforms.Resize((SIZE, SIZE), antialias=True),
                torchvision.transforms.PILToTensor(),
            ]
        )

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, i):
        with Image.open(self.paths[i]) as image:
            return self.transform(image.convert("L")), 0


class TorchLoading:
    """A DataLoader whose workers stay alive between rounds, as ours would in training."""

    def __init__(self, paths, workers):
        self.loader = torch.utils.data.DataLoader(
            Films(paths), batch_size=BATCH, shuffle=True, num_workers=workers, persistent_workers=True, drop_last=True
        )
        self.epoch()

    def epoch(self):
        return sum(len(images) for images, _ in self.loader)

    def speed(self, seconds):
        begin, images = time.perf_counter(), 0
        while time.perf_counter() - begin < seconds:
            images += self.epoch()
        return images / (time.perf_counter() - begin)


def ours(binaries, spec, workers, seconds):
    command = [binaries / "preceptor-bench", "loading", spec, "--batch", str(BATCH), "--threads", str(workers)]
    command += ["--seconds", str(seconds), "--json"]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


def write_table(folder, paths):
    with open(folder / "films.csv", "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["image", "label", "part"])
        rows.writerows([path.name, i % 2, "train"] for i, path in enumerate(paths))
    return f"table:{folder}/films.csv?image=image&label=label&part=part&size={SIZE}&channels=1"


def linked(files, folder, count):
    """At least `count` names for the files, so that an epoch is longer than its beginning and end."""
    folder.mkdir()
    paths = []
    while len(paths) < count:
        for file in files:
            paths.append(folder / f"{len(paths):05}.png")
            paths[-1].symlink_to(file.resolve())
    return paths


def processor():
    for line in open("/proc/cpuinfo"):
        if line.startswith("model name"):
            return line.split(":")[1].strip()
    return platform.processor()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--binaries", type=pathlib.Path, default=pathlib.Path("build/release/bin"))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--out", type=pathlib.Path)
    options = parser.parse_args()
    load = os.getloadavg()[0]
    torch.set_num_threads(1)  # of the process that only collects
    with tempfile.TemporaryDirectory() as place:
        place = pathlib.Path(place)
        large = linked(sorted((options.folder / "images_1024").glob("*.png")), place / "1024", 280)
        small = linked(sorted((options.folder / "images_224").glob("*.png")), place / "224", 1)
        specs = {"1024": write_table(place / "1024", large), "224": write_table(place / "224", small)}
        cache = [options.binaries / "preceptor-data", "cache", specs["224"], "--out", place / "films.cache"]
        subprocess.run(cache, check=True, capture_output=True)
        peers = {"1024": TorchLoading(large, options.workers), "224": TorchLoading(small, options.workers)}
        cases = [
            (f"1024 px PNG to {SIZE} px", specs["1024"] + "&cache=no", "1024"),
            (f"{SIZE} px PNG", specs["224"] + "&cache=no", "224"),
            ("cached", specs["224"] + f"&cache={place}/films.cache", "224"),
        ]
        results = {name: [] for name, _, _ in cases}
        for _ in range(options.rounds):
            for name, spec, peer in cases:
                mine = ours(options.binaries, spec, options.workers, options.seconds)
                theirs = peers[peer].speed(options.seconds)
                results[name].append((mine["images_per_second"], theirs, mine["peak_memory_bytes"]))
                print(f"{name}: ours {results[name][-1][0]:.0f}, torch {theirs:.0f} images/s", flush=True)
    text = report(options, results, load)
    print(text)
    if options.out:
        options.out.write_text(text)


def report(options, results, load):
    lines = [
        "# Loading images",
        "",
        f"Measured {datetime.date.today().isoformat()} on {processor()}, {os.cpu_count()} cores, by",
        "",
        "```",
        f"python tests/peers/compare_loading.py FOLDER --workers {options.workers} --rounds {options.rounds} "
        f"--seconds {options.seconds:g}",
        "```",
        "",
        f"with torch {torch.__version__}, torchvision {torchvision.__version__}, Pillow {PIL.__version__} (zlib-ng "
        f"{PIL.features.version('zlib_ng')});",
        "FOLDER held 621 ChestX-ray14 films (NIH Clinical Center, Wang et al. 2017),",
        "14 of them also at 1024 pixels. Images per second, medians; ratios are those of single rounds. Before it began the",
        f"load of the machine was {load:.1f}: what is above 0 is other programs', with which both sides then shared the cores.",
        "",
        "| | ours | DataLoader | ratio: median | lowest | highest | our memory |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, rows in results.items():
        ratios = [mine / theirs for mine, theirs, _ in rows]
        mine, theirs, memory = (statistics.median(row[i] for row in rows) for i in range(3))
        lines.append(
            f"| {name} | {mine:.0f} | {theirs:.0f} | {statistics.median(ratios):.2f} | {min(ratios):.2f} | "
            f"{max(ratios):.2f} | {memory / 1e6:.0f} MB |"
        )
    lines += [
        "",
        "Both give batches of 32 grey images of 224x224 bytes, ours by threads, the DataLoader by as many worker processes. Its",
        "images are decoded by Pillow, resized by torchvision with antialias and collated; normalization is left out on both sides,",
        "because here it is part of the augmentation on the device. `cached` is ours from the file of `preceptor-data cache`, against",
        "the DataLoader decoding the 224-pixel files. Our memory is the whole process's: it does not grow with the number of images.",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
