"""Holds decoded images to Pillow's and pydicom's.

    python tests/peers/compare_images.py [--program build/release/tests/image-values] [--data FOLDER]

Pillow writes PNG files of every mode it knows, JPEG, BMP, TGA and PGM, and both read them; pydicom writes DICOM files
and reads and rescales them; the window is the standard's formula. With --data also the real films there. Exit code
77, which ctest shows as skipped, where numpy, Pillow or pydicom are missing.
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile

try:
    import numpy
    import pydicom
    from PIL import Image
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.pixels import apply_modality_lut
    from pydicom.uid import ExplicitVRLittleEndian
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

PERCENTILE = 0.005  # of data/images/grey_window.h


def decoded(program, path):
    output = subprocess.run([program, str(path)], check=True, capture_output=True).stdout
    header, values = output.split(b"\n", 1)
    return numpy.frombuffer(values, numpy.uint8).reshape(tuple(map(int, header.split())))


def with_pillow(path):
    """Height, width and channels as read_image gives them: 1 (grey) or 3, transparency dropped."""
    image = Image.open(path)
    grey = image.mode in ("1", "L", "LA")
    values = numpy.asarray(image.convert("LA" if image.mode == "LA" else "L" if grey else "RGBA"))
    return values[..., None] if values.ndim == 2 else values[..., : 1 if grey else 3]


def write_pictures(folder):
    """Files, each with the largest difference that may be."""
    random = numpy.random.default_rng(5)
    smooth = numpy.linspace(0, 1, 61)[:, None, None] * numpy.linspace(40, 200, 45)[None, :, None] + [0, 20, 40]
    colour = (smooth + random.integers(0, 16, smooth.shape)).astype(numpy.uint8)
    pictures = {mode: Image.fromarray(colour).convert(mode) for mode in ("1", "L", "RGB", "P")}
    pictures["LA"] = Image.merge("LA", [pictures["L"], pictures["L"]])
    pictures["RGBA"] = Image.merge("RGBA", [*pictures["RGB"].split(), pictures["L"]])
    for mode, picture in pictures.items():
        for level in (1, 9):
            picture.save(folder / f"{mode}{level}.png", compress_level=level)
            yield folder / f"{mode}{level}.png", 0
    for name, options in (("plain", {}), ("progressive", {"progressive": True}), ("full", {"subsampling": 0})):
        for mode in ("L", "RGB"):
            path = folder / f"{mode}_{name}.jpg"
            pictures[mode].save(path, quality=90, **options)
            # Both are libjpeg-turbo; another version may round the inverse transform and colours another way.
            yield path, 3
    for ending in ("bmp", "tga", "ppm"):
        pictures["RGB"].save(folder / f"picture.{ending}")
        yield folder / f"picture.{ending}", 0
    pictures["L"].save(folder / "picture.pgm")
    yield folder / "picture.pgm", 0


def shown(dataset):
    """What is to be seen, as numbers from 0 to 255 that are not yet rounded."""
    values = apply_modality_lut(dataset.pixel_array, dataset).astype(float)
    if "WindowCenter" in dataset:
        center, width = float(dataset.WindowCenter), float(dataset.WindowWidth)
        low, high = center - 0.5 - (width - 1) / 2, center - 0.5 + (width - 1) / 2  # PS3.3, C.11.2.1.2.1
    else:
        ordered = numpy.sort(values, axis=None)
        rank = int(PERCENTILE * ordered.size)
        low, high = ordered[rank], ordered[-1 - rank]
    grey = numpy.clip((values - low) / (high - low) * 255, 0, 255)
    return 255 - grey if dataset.PhotometricInterpretation == "MONOCHROME1" else grey


def write_films(folder):
    random = numpy.random.default_rng(6)
    for name, stored, signed, photometric, window, rescale in (
        ("plain", 16, 0, "MONOCHROME2", None, None),
        ("twelve", 12, 0, "MONOCHROME1", (2000, 3000), None),
        ("signed", 16, 1, "MONOCHROME2", (40, 400), (1.5, -1024)),
        ("byte", 8, 0, "MONOCHROME2", (100, 151), None),
    ):
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.1.1"
        meta.MediaStorageSOPInstanceUID = "1.2.3.4"
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        film = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
        film.Rows, film.Columns, film.SamplesPerPixel = 53, 47, 1
        film.BitsAllocated, film.BitsStored, film.HighBit = 8 if stored == 8 else 16, stored, stored - 1
        film.PixelRepresentation, film.PhotometricInterpretation = signed, photometric
        low, high = (-(2 ** (stored - 1)), 2 ** (stored - 1)) if signed else (0, 2**stored)
        kind = f"{'i' if signed else 'u'}{film.BitsAllocated // 8}"
        film.PixelData = random.integers(low, high, (53, 47)).astype(f"<{kind}").tobytes()
        if window:
            film.WindowCenter, film.WindowWidth = window
        if rescale:
            film.RescaleSlope, film.RescaleIntercept = rescale
        path = folder / f"{name}.dcm"
        film.save_as(path, enforce_file_format=True)
        yield path


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="build/release/tests/image-values")
    parser.add_argument("--data", type=pathlib.Path, help="a folder with real PNG and DICOM files")
    options = parser.parse_args()
    broken = 0
    with tempfile.TemporaryDirectory() as place:
        pictures = list(write_pictures(pathlib.Path(place)))
        films = list(write_films(pathlib.Path(place)))
        if options.data:
            pictures += [(path, 0) for path in sorted(options.data.rglob("*.png"))]
            films += [path for path in sorted(options.data.rglob("*.dcm")) if not uses_jpeg2000(path)]
        largest = 0
        for path, allowed in pictures:
            difference = numpy.abs(decoded(options.program, path).astype(int) - with_pillow(path)).max()
            largest = max(largest, difference)
            if difference > allowed:
                print(f"{path.name}: differs by {difference}, {allowed} allowed")
                broken += 1
        print(f"{len(pictures)} pictures against Pillow: largest difference {largest}")
        largest = 0
        for path in films:
            difference = numpy.abs(decoded(options.program, path)[..., 0] - shown(pydicom.dcmread(path))).max()
            largest = max(largest, difference)
            # DCMTK rounds down, and rescaled values to whole numbers: here up to one of a window of 400.
            allowed = 1 + (255 / 400 if path.name == "signed.dcm" else 0)
            if difference > allowed:
                print(f"{path.name}: differs by {difference}, {allowed} allowed")
                broken += 1
        print(f"{len(films)} films against pydicom: largest difference {largest:.3f}")
    return 1 if broken else 0


def uses_jpeg2000(path):
    """pydicom needs a further package for those."""
    return pydicom.dcmread(path, stop_before_pixels=True).file_meta.TransferSyntaxUID.name.startswith("JPEG 2000")


if __name__ == "__main__":
    sys.exit(main())
