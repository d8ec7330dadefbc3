"""Where a recipe stands in a file: PNG text, EXIF, XMP; written by ``encode``, read back by ``read_recipes``.

| file | our JSON | `parameters`, as other tools read it | DigitalSourceType |
| --- | --- | --- | --- |
| PNG | text `overpaint` | text `parameters` | XMP |
| JPEG, WebP | XMP | EXIF UserComment | XMP |
| TIFF | XMP | ImageDescription | XMP |
"""

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from PIL import Image, PngImagePlugin

from overpaint import infotext
from overpaint.decode import Source
from overpaint.decode.header import open_header
from overpaint.errors import RecipeError
from overpaint.params import ResolvedParams
from overpaint.recipe import MAX_TEXT, Recipe, from_json, to_json

SOFTWARE = "Overpaint"
PNG_RECIPE, PNG_PARAMETERS, PNG_XMP = "overpaint", "parameters", "XML:com.adobe.xmp"
_NAMESPACE = "urn:x-overpaint:recipe:1"
_IPTC = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
_SOURCE_TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
_EXIF_IFD, _USER_COMMENT, _SOFTWARE, _DESCRIPTION, _XMP_TAG = 0x8769, 0x9286, 0x0131, 0x010E, 700
_SEGMENT = 65_000  # bytes that one segment of a JPEG holds, less its own head
# what Pillow tells of a file under its texts, or of its compression; and what it leaves as bytes although it is text
_NO_TEXTS = {"compression", "exif", "icc_profile", "transparency", "version"}
_TEXTS_IN_BYTES = {"comment", "xmp"}
MAX_TEXTS, MAX_TEXT_NAME = 100, 300  # texts of a file that are told, and characters of the name of one
MAX_ITEMS_TEXT = 4_000_000  # characters of all of them; a recipe with large maps in it has more


@dataclass(frozen=True)
class Tags:
    """What a file says of how its picture was made.

    Attributes:
        recipe: our JSON.
        short: the same with the hashes of maps instead of their numbers.
        parameters: the text that other tools read; None for a sheet of several edits.
        source_type: IPTC's word for how the picture came about; None where no trained model had a hand in it.
    """

    recipe: str
    short: str
    parameters: str | None
    source_type: str | None

    @classmethod
    def of(cls, recipes: Sequence[Recipe]) -> "Tags":
        """The tags of a picture with these recipes, at least one."""
        one = recipes[0] if len(recipes) == 1 and isinstance(recipes[0].params, ResolvedParams) else None
        return cls(
            to_json(recipes),
            to_json(recipes, numbers=False),
            infotext.write(one) if one else None,
            _source_type(recipes),
        )

    def png_chunks(self) -> list[tuple[bytes, bytes]]:
        """(name, data) of the chunks to stand before a PNG's pixels."""
        info = PngImagePlugin.PngInfo()
        if self.parameters is not None:
            info.add_text(PNG_PARAMETERS, self.parameters)
        info.add_itxt(PNG_RECIPE, self.recipe)
        info.add_itxt(PNG_XMP, self._packet(None))
        return [(chunk[0], chunk[1]) for chunk in info.chunks]

    def xmp(self) -> bytes:
        """The XMP packet with our JSON in it."""
        return self._packet(self.recipe).encode()

    def exif(self) -> bytes:
        """An EXIF block with the program's name and, as UserComment, the text that other tools read."""
        exif = Image.Exif()
        exif.endian = ">"  # as the text below, which readers take for big-endian whatever the block says
        exif[_SOFTWARE] = SOFTWARE
        if self.parameters is not None:
            exif[_EXIF_IFD] = {_USER_COMMENT: b"UNICODE\0" + self.parameters.encode("utf-16-be")}
        return exif.tobytes()

    def for_jpeg(self) -> dict[str, bytes]:
        """EXIF and XMP for a JPEG, which has room for 64 KiB of each: for maps it may be too little, and for a sheet of
        very long prompts."""
        whole = self.xmp()
        blocks = {"exif": self.exif(), "xmp": whole if len(whole) <= _SEGMENT else self._packet(self.short).encode()}
        return {name: block for name, block in blocks.items() if len(block) <= _SEGMENT}

    def _packet(self, recipe: str | None) -> str:
        inside = f"<xmp:CreatorTool>{SOFTWARE}</xmp:CreatorTool>"
        if self.source_type:
            inside += f"<iptc:DigitalSourceType>{_SOURCE_TYPES}{self.source_type}</iptc:DigitalSourceType>"
        if recipe is not None:
            inside += f"<overpaint:recipe>{escape(recipe)}</overpaint:recipe>"
        return (
            '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
            '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
            f'xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:iptc="{_IPTC}" xmlns:overpaint="{_NAMESPACE}">'
            f'{inside}</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
        )


def _source_type(recipes: Sequence[Recipe]) -> str | None:
    """https://cv.iptc.org/newscodes/digitalsourcetype: "composite..." is their word for an edited picture."""
    edits = [r for r in recipes if r.makes == "edit" and r.params.strength != 0]
    if not edits:
        return None
    from_nothing = all(r.input is None or r.params.strength == 1 for r in edits)
    return "trainedAlgorithmicMedia" if from_nothing else "compositeWithTrainedAlgorithmicMedia"


# ---- back ------------------------------------------------------------------------------------------------------------


def read_recipe(source: Source) -> Recipe:
    """How a picture was made, read from its file: ours, or the text that AUTOMATIC1111 and others write.

    Args:
        source: a path ("-" is standard input), the bytes of a file, or an open binary file.

    Raises:
        ImageError: it is not a picture. RecipeError: it holds no recipe, one that cannot be used, or several.
    """
    recipes = read_recipes(source)
    if len(recipes) > 1:
        raise RecipeError(f"it is a sheet of {len(recipes)} edits; read_recipes() gives all of them")
    return recipes[0]


def read_recipes(source: Source) -> list[Recipe]:
    """As ``read_recipe``; all edits of a sheet, in the order in which it shows them."""
    im, _, name = open_header(source)
    try:
        return _recipes_of(im)
    except RecipeError as e:
        raise RecipeError(f"{name}: {e}") from e
    except Exception as e:  # broken metadata raises nearly anything in a parser
        raise RecipeError(f"{name}: its metadata cannot be read: {type(e).__name__}: {e}") from e


@dataclass(frozen=True)
class Texts:
    """What a file says in words.

    Attributes:
        parameters: how it was made, as AUTOMATIC1111 and others write it; None where it does not say.
        items: its other texts by their names.
    """

    parameters: str | None
    items: Mapping[str, str]


def read_texts(source: Source) -> Texts:
    """The texts that a picture's file carries, of whatever kind; those that are too many or too long are left out.

    Raises:
        ImageError: it is not a picture. RecipeError: its metadata cannot be read.
    """
    im, _, name = open_header(source)
    try:
        if im.format == "PNG" and PNG_PARAMETERS not in im.info:
            im.load()  # text may also stand behind a PNG's pixels
        parameters = _parameters(im)
        items = _items(im)
    except Exception as e:  # as above
        raise RecipeError(f"{name}: its metadata cannot be read: {type(e).__name__}: {e}") from e
    if parameters is not None and len(parameters) > infotext.MAX_TEXT:
        words = f"has {len(parameters):,} characters, at most {infotext.MAX_TEXT:,} are read"
        raise RecipeError(f"{name}: its parameters text {words}")
    return Texts(parameters, items)


def _items(im: Image.Image) -> dict[str, str]:
    """What is text, up to the limits; the longest that find no room are left out, and what follows them still told."""
    items: dict[str, str] = {}
    room = MAX_ITEMS_TEXT
    for name, value in im.info.items():
        if name in _TEXTS_IN_BYTES and isinstance(value, bytes) and im.format != "PNG":  # there they are texts too
            value = value.decode("utf-8", "replace")
        if not isinstance(name, str) or not isinstance(value, str) or len(name) > MAX_TEXT_NAME:
            continue
        if name in _NO_TEXTS or name == PNG_PARAMETERS:
            continue
        if len(value) <= room and len(items) < MAX_TEXTS:
            items[name] = str(value)
            room -= len(value)
    return items


def _recipes_of(im: Image.Image) -> list[Recipe]:
    ours, parameters = _texts(im)
    if ours is None and parameters is None and im.format == "PNG":
        im.load()  # text may also stand behind a PNG's pixels
        ours, parameters = _texts(im)
    if ours is not None:
        return from_json(ours)
    if parameters is not None:
        return [infotext.read(parameters)]
    raise RecipeError("it holds no recipe; only pictures saved by Overpaint or by tools like AUTOMATIC1111 do")


def _texts(im: Image.Image) -> tuple[str | None, str | None]:
    """Our JSON, and the text that other tools write, where there are such."""
    if im.format == "PNG":
        return _text(im.info.get(PNG_RECIPE)), _parameters(im)
    xmp = im.info.get("xmp")
    if im.format == "TIFF":
        tags: Any = im.tag_v2  # type: ignore[attr-defined]
        xmp = xmp or tags.get(_XMP_TAG)
    return _recipe_in(xmp), _parameters(im)


def _parameters(im: Image.Image) -> str | None:
    """The text that other tools write, where there is one."""
    if im.format == "PNG":
        return _text(im.info.get(PNG_PARAMETERS))
    if im.format == "TIFF":
        tags: Any = im.tag_v2  # type: ignore[attr-defined]
        return _infotext(tags.get(_DESCRIPTION))
    return _comment(im.getexif().get_ifd(_EXIF_IFD).get(_USER_COMMENT))


def _text(value: Any) -> str | None:
    return str(value) if isinstance(value, str) else None


def _recipe_in(packet: Any) -> str | None:
    """Our JSON in an XMP packet; entities other than XML's own are never expanded."""
    text = packet.decode("utf-8", "replace") if isinstance(packet, bytes) else packet
    if not isinstance(text, str) or len(text) > MAX_TEXT or _NAMESPACE not in text:
        return None
    if re.search("<!(DOCTYPE|ENTITY)", text, re.IGNORECASE):
        raise RecipeError("its XMP packet declares entities, which no packet needs")
    try:
        found = ElementTree.fromstring(text.strip("\0 \n")).find(f".//{{{_NAMESPACE}}}recipe")
    except ElementTree.ParseError as e:
        raise RecipeError(f"its XMP packet is not XML that can be read: {e}") from e
    return None if found is None else found.text or ""


def _comment(value: Any) -> str | None:
    """EXIF's UserComment: eight bytes that name the code, then the text."""
    if not isinstance(value, bytes):
        return None
    code, body = value[:8], value[8:]
    if code.startswith(b"UNICODE"):
        # big-endian by custom, in the block's own order by the standard: whichever gives the words of such a text
        texts = [body.decode(order, "replace") for order in ("utf-16-be", "utf-16-le")]
        return next((t for t in texts if _infotext(t)), None)
    return _infotext(body.decode("utf-8", "replace"))


def _infotext(text: Any) -> str | None:
    """A description that is such a text; other pictures carry other descriptions."""
    return text if isinstance(text, str) and "Steps: " in text else None


def with_png_chunks(png: bytes, chunks: Sequence[tuple[bytes, bytes]]) -> bytes:
    """A PNG with these chunks behind its head (8 bytes of signature, 25 of IHDR)."""
    out = io.BytesIO()
    for name, data in chunks:
        PngImagePlugin.putchunk(out, name, data)
    return png[:33] + out.getvalue() + png[33:]
