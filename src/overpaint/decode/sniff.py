"""What a file is, told from its first bytes: its name has no say, and nothing but the formats listed here is opened."""

import struct

from overpaint.errors import ImageError

HEAD = 4096  # bytes that are looked at
READ = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "HEIF", "JXL")  # by Pillow's names
_WANTED = "PNG, JPEG, WebP, GIF, BMP, TIFF and AVIF are read, HEIC and JPEG XL with pip install 'overpaint[formats]'"

_RAW = "a camera raw file; develop it to a TIFF or PNG first"
_STARTS = (
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"\xff\x0a", "JXL"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "JXL"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "a JPEG 2000 picture"),
    (b"\xffO\xffQ", "a JPEG 2000 picture"),
    (b"%!PS", "a PostScript (EPS) file"),
    (b"\xc5\xd0\xd3\xc6", "a PostScript (EPS) file"),
    (b"%PDF-", "a PDF document"),
    (b"8BPS", "a Photoshop (PSD) file"),
    (b"SIMPLE  =", "a FITS file"),
    (b"DDS ", "a DDS texture"),
    (b"\0\0\1\0", "an icon (ICO)"),
    (b"\0\0\2\0", "a cursor (CUR)"),
    (b"icns", "an icon (ICNS)"),
    (b"v/1\1", "an OpenEXR picture"),
    (b"#?RADIANCE", "a Radiance (HDR) picture"),
    (b"gimp xcf", "a GIMP (XCF) file"),
    (b"qoif", "a QOI picture"),
    (b"AT&TFORM", "a DjVu document"),
    (b"PK\3\4", "a ZIP archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\x1a\x45\xdf\xa3", "a video (Matroska, WebM)"),
    (b"FUJIFILMCCD-RAW", _RAW),
    (b"IIRO", _RAW),
    (b"IIRS", _RAW),
    (b"MMOR", _RAW),
    (b"IIU\0", _RAW),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
)
_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}
_BMP_HEADERS = {12, 16, 40, 52, 56, 64, 108, 124}  # "BM" alone may be the start of any text


def kind_of(head: bytes, name: str) -> str:
    """One of ``READ``; an ``ImageError`` that says what the file is instead."""
    found = _find(head)
    if found not in READ:
        raise ImageError(f"{name} is {found or 'not a picture that can be read'}; {_WANTED}", kind="format")
    return found


def _find(head: bytes) -> str | None:
    if head[8:10] == b"CR" and head[:4] == b"II*\0":
        return _RAW
    for start, found in _STARTS:
        if head.startswith(start):
            return found
    if head[:4] == b"RIFF":
        return "WEBP" if head[8:12] == b"WEBP" else "a RIFF file, sound or video"
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADERS:
        return "BMP"
    if head[4:8] == b"ftyp":
        return _of_brands(head)
    if head[128:132] == b"DICM":
        return "a DICOM file"
    return _of_text(head)


def _of_brands(head: bytes) -> str:
    """ISO base media files (ISO 14496-12) list what they are in their first box."""
    end = min(int.from_bytes(head[:4], "big"), len(head))
    brands = {head[8:12], *(head[i : i + 4] for i in range(16, end, 4))}
    if brands & {b"avif", b"avis"}:
        return "AVIF"
    if brands & _HEIF_BRANDS:
        return "HEIF"
    return _RAW if b"crx " in brands else "a video or sound (MP4, QuickTime)"


def _of_text(head: bytes) -> str | None:
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "text (UTF-16)"
    text = head.decode("utf-8-sig", "replace").rstrip("\ufffd")  # the last character may be cut
    if not text or "\ufffd" in text or any(c < " " and c not in "\t\n\r\f" for c in text):
        return None
    start = text.lstrip().lower()
    if "<svg" in start:
        return "an SVG drawing"
    if start.startswith(("<!doctype html", "<html", "<head", "<body")) or "<html" in start:
        return "a web page (HTML)"
    return "text"


# ---- sizes -----------------------------------------------------------------------------------------------------------


def claimed_size(kind: str, data: bytes) -> tuple[int, int] | None:
    """(width, height) that the header of these bytes claims; None where it need not be known before a decoder opens it.

    The decoders of WebP and JPEG XL make room for all pixels, or read them, when they open a file.
    """
    try:
        if kind == "PNG" and data[12:16] == b"IHDR":
            return _pair(struct.unpack(">II", data[16:24]))
        if kind == "GIF":
            return _pair(struct.unpack("<HH", data[6:10]))
        if kind == "WEBP":
            return _webp_size(data)
        if kind == "JXL":
            return _jxl_size(data)
    except (struct.error, IndexError):
        pass  # cut off within its header; the decoder will say so
    return None


def _pair(sides: tuple[int, ...]) -> tuple[int, int]:
    return sides[0], sides[1]


def _webp_size(data: bytes) -> tuple[int, int] | None:
    if data[12:16] == b"VP8X":
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    if data[12:16] == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if data[12:16] == b"VP8 ":
        w, h = struct.unpack("<HH", data[26:30])
        return w & 0x3FFF, h & 0x3FFF
    return None


_JXL_RATIOS = (None, (1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))


def _jxl_size(data: bytes) -> tuple[int, int] | None:
    """ISO 18181-1, SizeHeader: bits, the lowest first, behind the two bytes of the signature."""
    stream = _jxl_codestream(data)
    if stream is None:
        return None
    bits, at = int.from_bytes(stream[2:16], "little"), 0

    def take(n: int) -> int:
        nonlocal at
        at += n
        return bits >> (at - n) & ((1 << n) - 1)

    small = take(1)

    def side() -> int:
        return (take(5) + 1) * 8 if small else take((9, 13, 18, 30)[take(2)]) + 1

    h = side()
    ratio = _JXL_RATIOS[take(3)]
    return (side(), h) if ratio is None else (h * ratio[0] // ratio[1], h)


def _jxl_codestream(data: bytes) -> bytes | None:
    """The first bytes of the picture's own data: the file's, or those of a box in it."""
    if data[:2] == b"\xff\x0a":
        return data[:16]
    at = 0
    while at + 8 <= len(data):
        size, name = struct.unpack(">I4s", data[at : at + 8])
        body = at + 8
        if size == 1:
            (size,), body = struct.unpack(">Q", data[at + 8 : at + 16]), at + 16
        if name in (b"jxlc", b"jxlp"):
            body += 4 if name == b"jxlp" else 0
            return data[body : body + 16]
        if size < 8:
            return None
        at += size
    return None
