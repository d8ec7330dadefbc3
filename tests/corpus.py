"""Odd files of pictures: by Pillow, OpenCV and tifffile, and what none of them would write, by hand.

``corpus()`` are files that must be read, ``broken()`` such that must be refused. All are small and made anew, the same
each time.
"""

import functools
import io
import struct
import zlib
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

from overpaint.decode import load
from overpaint.errors import ImageError
from overpaint.picture import Pixels

W, H = 37, 23


@functools.cache
def smooth(channels: int = 3) -> Pixels:
    """Smooth colours [H, W, channels], uint8."""
    small = np.random.default_rng(channels).integers(0, 256, (4, 5, channels), dtype=np.uint8)
    planes = [Image.fromarray(small[..., c]).resize((W, H), Image.Resampling.BILINEAR) for c in range(channels)]
    return np.dstack([np.asarray(p) for p in planes])


@functools.cache
def deep(channels: int = 3) -> Pixels:
    """The same at 16 bits, with lower bytes that matter."""
    lower = np.random.default_rng(9).integers(0, 256, (H, W, channels), dtype=np.uint16)
    return smooth(channels).astype(np.uint16) << 8 | lower


def saved(im: Image.Image | Pixels, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    (Image.fromarray(im) if isinstance(im, np.ndarray) else im).save(out, kind, **options)
    return out.getvalue()


def extra_file(kind: str, x: Pixels, **options: Any) -> bytes:
    """HEIC or JPEG XL; needs the extra `formats`."""
    heif, _ = pytest.importorskip("pillow_heif"), pytest.importorskip("pillow_jxl")
    if kind == "HEIF":
        out = io.BytesIO()
        heif.from_pillow(Image.fromarray(x)).save(out, quality=90, chroma=444, **options)
        return out.getvalue()
    return saved(x, "JXL", **options)


def refused(data: object) -> str:
    """The message of the ``ImageError`` that reading this ends in."""
    with pytest.raises(ImageError) as caught:
        load(data)  # type: ignore[arg-type]
    return str(caught.value)


# ---- PNG -------------------------------------------------------------------------------------------------------------


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def ihdr(width: int, height: int, depth: int, colour: int, interlaced: int = 0) -> bytes:
    body = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", body)


def png(x: Pixels, colour: int, extra: bytes = b"", rows: int | None = None) -> bytes:
    """A PNG of this colour type whose data end after ``rows`` rows; 8 or 16 bits, as the array has."""
    big = x.astype(">u2") if x.dtype == np.uint16 else x
    data = b"".join(b"\0" + row.tobytes() for row in big[:rows])
    head = ihdr(x.shape[1], x.shape[0], 8 * x.dtype.itemsize, colour)
    return head + extra + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


def with_chunk(data: bytes, name: bytes, body: bytes) -> bytes:
    """A PNG with another chunk right behind its header."""
    return data[:33] + chunk(name, body) + data[33:]


def blank_png(width: int, height: int) -> bytes:
    """A black 1-bit PNG of any size, by a stream: no picture of that size is ever in memory."""
    pack = zlib.compressobj(9)
    row = bytes(1 + (width + 7) // 8)
    body = b"".join(pack.compress(row * 64) for _ in range(height // 64)) + pack.compress(row * (height % 64))
    return ihdr(width, height, 1, 0) + chunk(b"IDAT", body + pack.flush()) + chunk(b"IEND", b"")


# ---- JPEG, GIF, TIFF, EXIF -------------------------------------------------------------------------------------------


def with_segment(data: bytes, marker: int, body: bytes) -> bytes:
    """A JPEG with another segment right behind its start."""
    return data[:2] + struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body + data[2:]


def without_segment(data: bytes, marker: int) -> bytes:
    at = data.index(bytes([0xFF, marker]))
    return data[:at] + data[at + 2 + int.from_bytes(data[at + 2 : at + 4], "big") :]


def cut_scan(data: bytes, share: float) -> bytes:
    """A JPEG whose data end early, but with an end marker."""
    start = data.rindex(b"\xff\xda")
    return data[: start + int((len(data) - start) * share)] + b"\xff\xd9"


def gif(frames: int, head: bytes = b"GIF89a", tail: bytes = b"") -> bytes:
    """Frames of 2x2, as small as they can be."""
    size = struct.pack("<HH", 2, 2) if len(head) == 6 else b""
    colours = b"\x80\0\0" + bytes([255, 0, 0, 0, 255, 0])
    one = saved(Image.fromarray(np.array([[0, 1], [1, 0]], np.uint8), "P"), "GIF")
    frame = b"," + struct.pack("<HHHH", 0, 0, 2, 2) + b"\0" + one[one.rindex(b"\x02\0\x02\0") + 5 : -1]
    return head + size + colours + frame * frames + b";" + tail


def exif(orientation: int, order: str = "<") -> bytes:
    """A block that holds the orientation and nothing else."""
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8)
    return b"Exif\0\0" + head + struct.pack(order + "HHHIHHI", 1, 0x0112, 3, 1, orientation, 0, 0)


def exif_with(entries: list[tuple[int, int, int, int]]) -> bytes:
    """A block of (tag, type, count, value as it stands there)."""
    body = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"Exif\0\0II*\0" + struct.pack("<IH", 8, len(entries)) + body + bytes(4)


BAD_EXIF = {
    "garbage": b"Exif\0\0" + b"\xa7nonsense" * 5,
    "cut off": exif(6)[:-8],
    "beyond": b"Exif\0\0II*\0" + struct.pack("<I", 70_000),
    "GPS of a wrong type": exif_with([(0x8825, 2, 4, 0x41414141)]),
    "value beyond": exif_with([(0x010F, 2, 5000, 60_000)]),
    "orientation 9": exif(9),
}


def exif_of(kind: str, data: bytes, block: bytes) -> bytes:
    """A JPEG or PNG with this block."""
    return (
        with_segment(data, 0xE1, block)
        if kind == "JPEG"
        else with_chunk(data, b"eXIf", block.removeprefix(b"Exif\0\0"))
    )


def tiff(x: Pixels, **options: Any) -> bytes:
    """By tifffile."""
    out = io.BytesIO()
    tifffile.imwrite(out, x, **{"photometric": "rgb", "metadata": None, **options})
    return out.getvalue()


def thumbnail_tiff() -> bytes:
    """As cameras write their raw files: a thumbnail, and below it the picture."""
    out = io.BytesIO()
    with tifffile.TiffWriter(out) as writer:
        writer.write(smooth(3)[:8, :8], photometric="rgb", subifds=1, subfiletype=1, metadata=None)
        writer.write(deep(1)[..., 0], photometric="minisblack", subfiletype=0, metadata=None)
    return out.getvalue()


def grey_tiff(pages: list[int], size: tuple[int, int] = (4, 3), offset: int | None = None) -> bytes:
    """A TIFF by hand: page i says that page ``pages[i]`` follows, -1 for none; all show the same pixels."""
    w, h = size
    length, start = 2 + 12 * 9 + 4, 8
    pixels = start + length * len(pages)
    out = b"II*\0" + struct.pack("<I", start)
    for following in pages:
        tags = [
            (256, w),
            (257, h),
            (258, 8),
            (259, 1),
            (262, 1),
            (273, offset or pixels),
            (277, 1),
            (278, h),
            (279, w * h),
        ]
        out += struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", t, 4, 1, v) for t, v in tags)
        out += struct.pack("<I", following if following > 999 else start + length * following if following >= 0 else 0)
    return out + bytes(range(10, 10 + min(w * h, 99)))


# ---- colour profiles -------------------------------------------------------------------------------------------------

SRGB = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
ADOBE = ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06))
P3 = ((0.68, 0.32), (0.265, 0.69), (0.15, 0.06))
_D65 = np.array([0.3127 / 0.3290, 1, (1 - 0.3127 - 0.3290) / 0.3290])
_D50 = np.array([0.9642, 1, 0.8249])
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
_TO_D50 = np.linalg.inv(_BRADFORD) @ np.diag((_BRADFORD @ _D50) / (_BRADFORD @ _D65)) @ _BRADFORD


def to_xyz(primaries: tuple[tuple[float, float], ...]) -> Pixels:
    """The matrix from linear colours to XYZ under D65."""
    columns = np.array([[x / y, 1, (1 - x - y) / y] for x, y in primaries]).T
    return columns * np.linalg.solve(columns, _D65)


def srgb_decoded(v: Pixels) -> Pixels:
    return np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)


def srgb_encoded(v: Pixels) -> Pixels:
    v = np.clip(v, 0, 1)
    return np.where(v <= 0.0031308, v * 12.92, 1.055 * v ** (1 / 2.4) - 0.055)


def to_lab(srgb: Pixels) -> Pixels:
    """CIELAB under D50 of sRGB in 0..1, [..., 3]."""
    t = srgb_decoded(srgb) @ (_TO_D50 @ to_xyz(SRGB)).T / _D50
    f = np.where(t > (6 / 29) ** 3, np.cbrt(t), t / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], -1)


def _profile(space: bytes, connection: bytes, tags: dict[bytes, bytes], kind: bytes = b"mntr") -> bytes:
    """ICC.1:2004: header, table of tags, tags."""
    start = 128 + 4 + 12 * len(tags)
    table, body = struct.pack(">I", len(tags)), b""
    for name, tag in tags.items():
        table += name + struct.pack(">II", start + len(body), len(tag))
        body += tag + bytes(-len(tag) % 4)
    d50 = struct.pack(">3i", 63190, 65536, 54061)
    head = struct.pack(">I4sI4s4s4s", start + len(body), b"none", 0x02400000, kind, space, connection)
    head += struct.pack(">6H4sI4s", 2026, 1, 1, 0, 0, 0, b"acsp", 0, b"test") + bytes(4 + 4 + 4 + 8 + 4) + d50
    return head.ljust(128, b"\0") + table + body


def _fixed(values: Any) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(float(v) * 65536) for v in values))


def _curve(gamma: float | None) -> bytes:
    """A power, or sRGB's curve at 4096 points."""
    if gamma is not None:
        return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256))
    points = (srgb_decoded(np.linspace(0, 1, 4096)) * 65535).round().astype(">u2")
    return b"curv\0\0\0\0" + struct.pack(">I", 4096) + points.tobytes()


def parametric(kind: int, *numbers: float) -> bytes:
    return b"para\0\0\0\0" + struct.pack(f">HH{len(numbers)}i", kind, 0, *(round(n * 65536) for n in numbers))


def rgb_profile(primaries: tuple[tuple[float, float], ...], gamma: float | bytes | None) -> bytes:
    """Curves and a matrix; ``gamma`` is a power, a whole curve, or None for sRGB's."""
    matrix = _TO_D50 @ to_xyz(primaries)
    curve = gamma if isinstance(gamma, bytes) else _curve(gamma)
    tags = {b"wtpt": _fixed(_D50), b"rXYZ": _fixed(matrix[:, 0]), b"gXYZ": _fixed(matrix[:, 1])}
    tags |= {b"bXYZ": _fixed(matrix[:, 2])} | dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    return _profile(b"RGB ", b"XYZ ", tags)


def grey_profile(gamma: float) -> bytes:
    return _profile(b"GRAY", b"XYZ ", {b"wtpt": _fixed(_D50), b"kTRC": _curve(gamma)})


def ink_colours(inks: Pixels) -> Pixels:
    """sRGB of the eight mixtures of full inks and of black, as ``cmyk_profile`` has them: [..., 4] of 0 or 1."""
    return (1 - 0.9 * inks[..., :3]) * (1 - 0.9 * inks[..., 3:])


def cmyk_profile() -> bytes:
    return table_profile(b"CMYK", 4, ink_colours)


def table_profile(space: bytes, channels: int, colours: Callable[[Pixels], Pixels]) -> bytes:
    """The smallest there is: an 8-bit table (mft1) of the corners' sRGB, to Lab."""
    corners = np.stack(np.meshgrid(*[[0, 1]] * channels, indexing="ij"), -1).reshape(-1, channels)  # the first slowest
    lab = to_lab(colours(corners.astype(float)))
    nodes = np.stack([lab[:, 0] * 2.55, lab[:, 1] + 128, lab[:, 2] + 128], -1).round().clip(0, 255).astype(np.uint8)
    identity = struct.pack(">9i", *(np.eye(3) * 65536).astype(int).ravel())
    tables = bytes(range(256))
    lut = b"mft1\0\0\0\0" + bytes([channels, 3, 2, 0]) + identity + tables * channels + nodes.tobytes() + tables * 3
    return _profile(space, b"Lab ", {b"wtpt": _fixed(_D50), b"A2B0": lut}, b"prtr" if channels == 4 else b"scnr")


# ---- the files -------------------------------------------------------------------------------------------------------


@functools.cache
def corpus() -> dict[str, bytes]:
    """Files that must be read."""
    return _by_pillow() | _by_opencv() | _by_tifffile() | _by_hand()


def _by_pillow() -> dict[str, bytes]:
    rgb = Image.fromarray(smooth(3))
    rgba = Image.fromarray(smooth(4))
    frames = [rgb, Image.fromarray(255 - smooth(3))]
    files = {f"{kind} {mode}": saved(rgb.convert(mode), kind) for kind, mode in _MODES}
    files |= {f"{kind} RGBA": saved(rgba, kind) for kind in ("PNG", "WEBP", "TIFF", "AVIF", "GIF")}
    files |= {f"{kind} LA": saved(rgba.convert("LA"), kind) for kind in ("PNG", "TIFF")}
    moving = {"save_all": True, "append_images": frames[1:]}
    files |= {f"moving {kind}": saved(rgb, kind, **moving) for kind in ("GIF", "PNG", "WEBP", "AVIF", "TIFF", "MPO")}
    files |= {f"{kind} turned": saved(rgb, kind, exif=exif(6)) for kind in ("JPEG", "WEBP", "PNG", "AVIF")}
    files |= {f"TIFF {how}": saved(rgb, "TIFF", compression=how) for how in ("tiff_lzw", "jpeg", "packbits")}
    files["TIFF LAB"] = saved(ImageCms.profileToProfile(rgb, *_SRGB_TO_LAB, outputMode="LAB") or rgb, "TIFF")
    files["TIFF F"] = saved(Image.fromarray(smooth(1)[..., 0].astype(np.float32) / 255), "TIFF")
    files["TIFF I"] = saved(Image.fromarray(deep(1)[..., 0].astype(np.int32)), "TIFF")
    files["TIFF CMYK lzw"] = saved(rgb.convert("CMYK"), "TIFF", compression="tiff_lzw")
    files["PNG P tRNS"] = saved(rgb.quantize(16), "PNG", transparency=3)
    files["PNG L tRNS"] = saved(rgb.convert("L"), "PNG", transparency=100)
    files["PNG 1 tRNS"] = saved(rgb.convert("1"), "PNG", transparency=0)
    files["PNG RGB tRNS"] = saved(rgb, "PNG", transparency=(1, 2, 3))
    files["JPEG progressive"] = saved(rgb, "JPEG", progressive=True)
    files["JPEG restart"] = saved(rgb, "JPEG", restart_marker_blocks=1)
    files["JPEG 128"] = saved(Image.new("RGB", (W, H), (128, 128, 128)), "JPEG")
    files["JPEG Adobe RGB"] = saved(rgb, "JPEG", icc_profile=rgb_profile(ADOBE, 563 / 256))
    files["JPEG CMYK ICC"] = saved(rgb.convert("CMYK"), "JPEG", icc_profile=cmyk_profile())
    files["WEBP lossless"] = saved(rgba, "WEBP", lossless=True, exact=True)
    files["PNG 1x1"] = saved(Image.new("RGB", (1, 1), (9, 8, 7)), "PNG")
    files["PNG 5x7"] = saved(rgb.resize((5, 7)), "PNG")
    return files


_MODES = [
    *(("PNG", mode) for mode in ("1", "L", "P", "RGB")),
    *(("JPEG", mode) for mode in ("L", "RGB", "CMYK", "YCbCr")),
    *(("TIFF", mode) for mode in ("1", "L", "P", "RGB", "CMYK")),
    *(("BMP", mode) for mode in ("1", "L", "P", "RGB")),
    *(("GIF", mode) for mode in ("1", "L", "P")),
    ("WEBP", "RGB"),
    ("AVIF", "RGB"),
]
_SRGB_TO_LAB = (ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"))


def _by_opencv() -> dict[str, bytes]:
    files = {}
    for channels, swapped in ((1, deep(1)[..., 0]), (3, deep(3)[..., ::-1]), (4, deep(4)[..., [2, 1, 0, 3]])):
        files[f"OpenCV PNG {channels}x16"] = cv2.imencode(".png", swapped)[1].tobytes()
        for how in (cv2.IMWRITE_TIFF_COMPRESSION_NONE, cv2.IMWRITE_TIFF_COMPRESSION_LZW, 8):
            options = [cv2.IMWRITE_TIFF_COMPRESSION, how]
            files[f"OpenCV TIFF {channels}x16 {how}"] = cv2.imencode(".tif", swapped, options)[1].tobytes()
    return files


def _by_tifffile() -> dict[str, bytes]:
    x, planes, pairs = deep(3), np.ascontiguousarray(deep(3).transpose(2, 0, 1)), deep(2)
    files = {}
    for order in "<>":
        files[f"tifffile {order}"] = tiff(x, byteorder=order)
        files[f"tifffile {order} deflate"] = tiff(x, byteorder=order, compression="zlib", predictor=True)
        files[f"tifffile {order} planes"] = tiff(planes, byteorder=order, planarconfig="separate")
        files[f"tifffile {order} planes deflate"] = tiff(
            planes, byteorder=order, planarconfig="separate", compression="zlib"
        )
        files[f"tifffile {order} tiles"] = tiff(x, byteorder=order, tile=(16, 16))
        options: dict[str, Any] = {"photometric": "minisblack", "extrasamples": ("unassalpha",), "byteorder": order}
        files[f"tifffile {order} grey alpha"] = tiff(pairs, **options)
        files[f"tifffile {order} grey alpha deflate"] = tiff(pairs, compression="zlib", **options)
    files["tifffile RGBA"] = tiff(deep(4), extrasamples=("unassalpha",))
    files["tifffile RGBX"] = tiff(deep(4), extrasamples=("unspecified",))
    files["tifffile RGBa"] = tiff(deep(4), extrasamples=("assocalpha",))
    files["tifffile CMYK 16"] = tiff(deep(4), photometric="separated")
    files["tifffile big"] = tiff(x, bigtiff=True)
    return files


def _by_hand() -> dict[str, bytes]:
    jpeg = saved(smooth(3), "JPEG", quality=90)
    good = png(smooth(3), 2)
    files = {
        f"{kind} EXIF {name}": exif_of(kind, data, block)
        for kind, data in (("JPEG", jpeg), ("PNG", good))
        for name, block in BAD_EXIF.items()
    }
    files["JPEG two EXIF"] = with_segment(with_segment(jpeg, 0xE1, exif(3)), 0xE1, exif(6))
    files["JPEG CMYK without Adobe"] = without_segment(cmyk_jpeg(), 0xEE)
    files["JPEG+ZIP"] = jpeg + b"PK\3\4" + bytes(26) + b"PK\5\6" + bytes(18)
    files["JPEG trailing zeros"] = jpeg + bytes(5000)
    files["GIF+JS"] = gif(1, b"GIF89a/*" + struct.pack("<H", 2), b"*/=1;alert(1)")
    files["GIF 3 frames"] = gif(3)
    files["PNG LA16"] = png(deep(2), 4)
    files["PNG RGB16 tRNS"] = png(deep(3), 2, chunk(b"tRNS", struct.pack(">HHH", *(int(v) for v in deep(3)[0, 0]))))
    files["PNG L16 tRNS"] = png(deep(1), 0, chunk(b"tRNS", struct.pack(">H", int(deep(1)[0, 0, 0]))))
    files["PNG broken ICC"] = with_chunk(good, b"iCCP", b"x\0\0" + zlib.compress(b"nonsense" * 30))
    files["PNG P3"] = with_chunk(good, b"iCCP", b"x\0\0" + zlib.compress(rgb_profile(P3, None)))
    files["PNG16 P3"] = with_chunk(png(deep(3), 2), b"iCCP", b"x\0\0" + zlib.compress(rgb_profile(P3, None)))
    files["PNG16 grey ICC"] = with_chunk(png(deep(1), 0), b"iCCP", b"x\0\0" + zlib.compress(grey_profile(1.8)))
    files["PNG without IEND"] = good[:-12]
    files["APNG without frames"] = with_chunk(good, b"acTL", struct.pack(">II", 5, 0))
    files["TIFF pages in a ring"] = grey_tiff([1, 0])
    files["TIFF next page beyond"] = grey_tiff([70_000])
    return files


def cmyk_jpeg() -> bytes:
    return saved(Image.fromarray(smooth(3)).convert("CMYK"), "JPEG", quality=95, subsampling=0)


@functools.cache
def broken() -> dict[str, bytes]:
    """Files that must be refused."""
    jpeg, good = saved(smooth(3), "JPEG", quality=90), png(smooth(3), 2)
    files = _not_pictures()
    files |= {
        f"{kind} cut at {share}": corpus()[f"{kind} RGB"][: int(len(corpus()[f"{kind} RGB"]) * share)]
        for kind in ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "AVIF")
        for share in (0.1, 0.5, 0.9)
    }
    files |= {
        f"deep {kind} cut": corpus()[f"OpenCV {kind} 3x16{more}"][:-900] for kind, more in (("PNG", ""), ("TIFF", " 1"))
    }
    files |= {f"JPEG scan cut at {share}": cut_scan(jpeg, share) for share in (0.3, 0.6, 0.9)}
    files["JPEG without end"] = jpeg[:-2]
    files["JPEG without end, zeros"] = jpeg[: len(jpeg) - 200] + bytes(100_000)
    files["PNG data end early"] = png(smooth(3), 2, rows=10)
    files["PNG16 data end early"] = png(deep(3), 2, rows=10)
    files["PNG bad data"] = good[:60] + bytes([good[60] ^ 255]) + good[61:]
    files["PNG bad IHDR sum"] = good[:29] + b"\0\0\0\0" + good[33:]
    files["PNG bad IHDR length"] = good[:8] + struct.pack(">I", 3) + good[12:]
    files["PNG no IDAT"] = ihdr(W, H, 8, 2) + chunk(b"IEND", b"")
    files["PNG colour type 5"] = png(smooth(3), 5)
    files["PNG 0 wide"] = ihdr(0, 5, 8, 2) + good[33:]
    files["PNG 2^31-1 wide"] = ihdr(2**31 - 1, 1, 8, 2) + good[33:]
    files["PNG 1x20000"] = blank_png(1, 20_000)
    files["PNG 15000x15000"] = ihdr(15_000, 15_000, 1, 0) + good[33:]
    files["PNG text bomb"] = with_chunk(good, b"zTXt", b"k\0\0" + zlib.compress(bytes(20 << 20), 9))
    files["PNG ICC bomb"] = with_chunk(good, b"iCCP", b"k\0\0" + zlib.compress(bytes(20 << 20), 9))
    files["GIF 0 wide"] = gif(1, b"GIF89a" + struct.pack("<HH", 0, 2)).replace(
        struct.pack("<HHHH", 0, 0, 2, 2), bytes(8)
    )
    files["GIF frame of 131070"] = gif(1).replace(struct.pack("<HHHH", 0, 0, 2, 2), b"\xff" * 8)
    files["GIF without a frame"] = gif(0)
    files["WEBP 16383x16383"] = b"RIFF\x16\0\0\0WEBPVP8L\x0a\0\0\0/" + struct.pack("<I", 16382 | 16382 << 14) + bytes(5)
    files["TIFF pixels beyond"] = grey_tiff([-1], offset=90_000)
    files["TIFF 15000x15000"] = grey_tiff([-1], (15_000, 15_000))
    files["TIFF page beyond"] = b"II*\0" + struct.pack("<I", 70_000)
    files["TIFF CMYK 16 planes"] = tiff(
        deep(4).transpose(2, 0, 1).copy(), photometric="separated", planarconfig="separate"
    )
    files["TIFF floats in colour"] = tiff(smooth(3).astype(np.float32) / 255)
    files["TIFF NEF"] = thumbnail_tiff()
    files["TIFF DNG"] = tiff(smooth(3), extratags=[(50706, 1, 4, b"\1\4\0\0", True)])
    files["TIFF floats over 1"] = saved(Image.fromarray(smooth(1)[..., 0].astype(np.float32)), "TIFF")
    files["TIFF I over 65535"] = saved(Image.fromarray(deep(1)[..., 0].astype(np.int32) * 9), "TIFF")
    return files


def _not_pictures() -> dict[str, bytes]:
    return {
        "empty": b"",
        "random bytes": np.random.default_rng(0).bytes(1024),
        **{name: data for name, (data, _) in STRANGERS.items()},
    }


# what is no picture that is read, and a word that the message must have
STRANGERS: dict[str, tuple[bytes, str]] = {
    "text": ("Grüße, only text\n".encode() * 40, "text"),
    "HTML": (b"<!DOCTYPE html>\n<html><body>404</body></html>", "web page"),
    "SVG": (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>', "SVG"),
    "EPS": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n%%EOF\n", "PostScript"),
    "PDF": (b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n", "PDF"),
    "PSD": (b"8BPS\0\1" + bytes(6) + struct.pack(">HIIHH", 3, 4, 4, 8, 3) + bytes(80), "Photoshop"),
    "FITS": (b"SIMPLE  =                    T".ljust(80) + b"END".ljust(2800), "FITS"),
    "DDS": (b"DDS " + struct.pack("<I", 124) + bytes(200), "DDS"),
    "ICO": (saved(Image.new("RGB", (16, 16)), "ICO"), "ICO"),
    "JPEG 2000": (saved(smooth(3), "JPEG2000"), "JPEG 2000"),
    "J2K": (saved(smooth(3), "JPEG2000", no_jp2=True), "JPEG 2000"),
    "CR2": (b"II*\0\x10\0\0\0CR\2\0" + bytes(100), "camera raw"),
    "CR3": (b"\0\0\0\x18ftypcrx \0\0\0\1crx isom" + bytes(100), "camera raw"),
    "MP4": (b"\0\0\0\x18ftypisom\0\0\2\0isommp41" + bytes(100), "video"),
    "ZIP": (b"PK\3\4" + bytes(100), "ZIP"),
    "text that begins with BM": (b"BMW and Audi, and so on and so on", "text"),
}
