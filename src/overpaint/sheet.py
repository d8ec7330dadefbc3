"""Labelled sheets of pictures: rows of panels, words below each."""

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

GAP = 10  # pixels around each panel
TEXT = 13  # pixels, the height of the letters


@dataclass(frozen=True)
class Panel:
    """A picture with a title and a smaller line or lines below it."""

    picture: Image.Image
    title: str
    note: str = ""


def sheet(rows: Sequence[Sequence[Panel]], width: int = 320) -> Image.Image:
    """Rows of panels, each picture ``width`` pixels wide; the words are wrapped to that width."""
    return stacked([_row(row, width) for row in rows if row])


def side_by_side(pictures: Sequence[Image.Image]) -> Image.Image:
    """Pictures in a row at their own size, a white gap between them."""
    page_width = sum(p.width for p in pictures) + GAP * (len(pictures) - 1)
    page = Image.new("RGB", (page_width, max(p.height for p in pictures)), "white")
    left = 0
    for p in pictures:
        page.paste(p, (left, 0), p if p.mode == "RGBA" else None)
        left += p.width + GAP
    return page


def stacked(pages: Sequence[Image.Image]) -> Image.Image:
    """Pictures below one another, on white."""
    page = Image.new("RGB", (max(p.width for p in pages), sum(p.height for p in pages)), "white")
    top = 0
    for p in pages:
        page.paste(p, (0, top))
        top += p.height
    return page


def _row(row: Sequence[Panel], width: int) -> Image.Image:
    bold, plain = ImageFont.load_default(TEXT), ImageFont.load_default(TEXT - 2)
    cells = [_fitted(panel.picture, width) for panel in row]
    words = [(_wrap(p.title, bold, width), _wrap(p.note, plain, width)) for p in row]
    tallest = max(c.height for c in cells)
    lines = max(len(a) + len(b) for a, b in words)
    band = Image.new("RGB", (len(row) * (width + GAP) + GAP, GAP + tallest + 4 + lines * (TEXT + 3)), "white")
    draw = ImageDraw.Draw(band)
    for i, (cell, (title, note)) in enumerate(zip(cells, words, strict=True)):
        left, top = GAP + i * (width + GAP), GAP
        band.paste(cell, (left, top), cell if cell.mode == "RGBA" else None)
        top += tallest + 4
        for lines_, font, colour in ((title, bold, "black"), (note, plain, "#555555")):
            for line in lines_:
                draw.text((left, top), line, fill=colour, font=font)
                top += TEXT + 3
    return band


def _fitted(picture: Image.Image, width: int) -> Image.Image:
    height = max(1, round(picture.height * width / picture.width))
    return picture.resize((width, height), Image.Resampling.LANCZOS)


def _wrap(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> list[str]:
    lines: list[str] = []
    for word in text.split():
        if lines and font.getlength(f"{lines[-1]} {word}") <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines
