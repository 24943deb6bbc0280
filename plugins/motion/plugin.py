"""motion -- what moved since the last frames of a camera.

Each stream has a baseline, a small grey picture of how the scene usually looks, that every frame
pulls a little towards itself. A pixel that is far from its baseline has changed; cells with enough
changed pixels that touch each other are a region.
"""
import io
from collections import OrderedDict

import numpy as np
from forgesyte import BasePlugin, ToolError
from PIL import Image, UnidentifiedImageError, features

SIDE = 320  # of the baseline, whatever the frames have: 400 KB a stream at most
CELL = 8  # pixels of the baseline
MAX_STREAMS = 32
MAX_PIXELS = 36_000_000  # 8K; a WebP takes 16 bytes a pixel while it is read
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF")
Image.MAX_IMAGE_PIXELS = None  # check_size() decides, in place of Pillow's warning


class Plugin(BasePlugin):
    name = "motion"
    tools = {"analyze": "analyze", "reset": "reset"}

    def __init__(self):
        super().__init__()
        self.streams = OrderedDict()  # name: Baseline, the one used last at the end

    def validate(self):
        missing = [codec for codec in ("jpg", "zlib", "webp") if not features.check(codec)]
        if missing:
            raise RuntimeError(f"Pillow was built without {', '.join(missing)}")

    def analyze(self, image, stream="default", threshold=25, min_area=0.001, alpha=0.05):
        size, frame = read_grey(image)
        baseline = self.baseline(stream, size, frame)
        changed = baseline.changed(frame, threshold)
        regions = find_regions(changed, size, min_area)
        result = {
            "motion": bool(regions),
            "score": float(changed.mean()),
            "regions": regions,
            "image_size": {"width": size[0], "height": size[1]},
            "stream": stream,
            "frame_index": baseline.frames,
            "baseline_ready": baseline.frames > 0,
        }
        baseline.learn(frame, alpha)
        return result

    def reset(self, stream="default"):
        return {"stream": stream, "existed": self.streams.pop(stream, None) is not None}

    def baseline(self, stream, size, frame):
        """The stream's, or a new one that begins with this frame; the stalest makes room."""
        found = self.streams.get(stream)
        if found is None or found.size != size:
            found = self.streams[stream] = Baseline(size, frame)
        self.streams.move_to_end(stream)
        if len(self.streams) > MAX_STREAMS:
            self.streams.popitem(last=False)
        return found


class Baseline:
    def __init__(self, size, frame):
        self.size = size
        self.usual = frame.copy()
        self.frames = 0

    def changed(self, frame, threshold):
        return np.abs(frame - self.usual) > threshold

    def learn(self, frame, alpha):
        self.usual += np.float32(alpha) * (frame - self.usual)
        self.frames += 1


def read_grey(data):
    """((width, height), the picture in grey with at most SIDE pixels a side)."""
    if not len(data):
        raise ToolError("EmptyImage", "the image has no bytes")
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            size = image.size  # from the header: nothing is decoded yet
            check_size(*size)
            shrink = max(1, max(size) / SIDE)
            small = tuple(max(1, round(side / shrink)) for side in size)
            image.draft("L", tuple(2 * side for side in small))  # JPEG: spares most decoding
            grey = to_grey(image).resize(small, Image.Resampling.BILINEAR)
    except ToolError:
        raise
    except UnidentifiedImageError as error:
        raise ToolError("BadImage", f"this is none of {', '.join(FORMATS)}") from error
    except Exception as error:  # decoders raise whatever they stumble over
        raise ToolError("BadImage", f"the image is damaged: {error}") from error
    return size, np.asarray(grey, dtype=np.float32)


def check_size(width, height):
    if width * height > MAX_PIXELS:
        raise ToolError("ImageTooLarge", f"the image says it is {width} x {height} pixels; "
                                         f"read are at most {MAX_PIXELS // 1_000_000} megapixels")


def to_grey(image):
    if image.mode.startswith("I"):  # 16 bits a pixel, which convert() would cut off at 255
        image = image.point(lambda value: value * (1 / 256))
    return image.convert("L")


def find_regions(changed, size, min_area):
    """Boxes around cells that touch, in pixels of the frame, the largest area first."""
    height, width = changed.shape
    counts = np.add.reduceat(changed, range(0, height, CELL), axis=0, dtype=np.int32)
    counts = np.add.reduceat(counts, range(0, width, CELL), axis=1)
    regions = []
    for cells in groups(counts >= CELL // 2):
        area = float(sum(counts[cell] for cell in cells) / changed.size)
        if area >= min_area:
            regions.append({**box_around(cells, changed, size), "area": area})
    return sorted(regions, key=lambda region: -region["area"])


def groups(grid):
    """The True cells of a grid in lists of those that touch, by a side or a corner."""
    left = set(zip(*(axis.tolist() for axis in np.nonzero(grid))))
    while left:
        cells = [left.pop()]
        for row, column in cells:  # grows as it is walked
            near = left & {(row + i, column + j) for i in (-1, 0, 1) for j in (-1, 0, 1)}
            left -= near
            cells += near
        yield cells


def box_around(cells, changed, size):
    """The tightest box around the changed pixels of these cells."""
    top, left = np.min(cells, axis=0) * CELL
    bottom, right = (np.max(cells, axis=0) + 1) * CELL
    inside = changed[top:bottom, left:right]
    rows, columns = (np.nonzero(inside.any(axis=axis))[0] for axis in (1, 0))
    x, width = scaled(left + columns[0], left + columns[-1] + 1, size[0], changed.shape[1])
    y, height = scaled(top + rows[0], top + rows[-1] + 1, size[1], changed.shape[0])
    return {"x": x, "y": y, "width": width, "height": height}


def scaled(begin, end, side, small):
    """(begin, length) at the frame's own scale, rounded outwards."""
    first = int(begin) * side // small
    return first, -(-int(end) * side // small) - first
