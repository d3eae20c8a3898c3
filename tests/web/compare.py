"""Pictures of the page, compared with those that were looked at and committed.

Browsers of two versions smooth the same letter a little differently, so single pixels say nothing. Both pictures are softened first; then a pixel
differs where a channel differs by more than `CHANNEL_MAX`, and a picture differs where one of its squares does by more than `SQUARE_SHARE_MAX`. A word
or a bar that is another is seen however large the picture is.
"""

from __future__ import annotations

import io
import os
import pathlib

from PIL import Image, ImageChops, ImageFilter

FOLDER = pathlib.Path(__file__).with_name("pictures")
BLESS = os.environ.get("BLESS_PICTURES") == "1"
CHANNEL_MAX = 36
GROUND = (112, 128, 120, 255)
SQUARE_PX = 24
SQUARE_SHARE_MAX = 0.08
# All of them together, as committed.
BYTES_MAX = 4_000_000


def stored(name: str) -> pathlib.Path:
    return FOLDER / f"{name}.webp"


def bless(name: str, picture: Image.Image) -> None:
    FOLDER.mkdir(exist_ok=True)
    picture.save(stored(name), lossless=True, quality=100, method=4)


def differing(one: Image.Image, other: Image.Image) -> Image.Image:
    """White where two pictures of one size differ, black elsewhere."""
    soft = [picture.filter(ImageFilter.BoxBlur(1)) for picture in (one, other)]
    red, green, blue = ImageChops.difference(*soft).split()
    most = ImageChops.lighter(ImageChops.lighter(red, green), blue)
    return most.point(lambda value: 255 if value > CHANNEL_MAX else 0)


def squares(where: Image.Image) -> list[tuple[int, int]]:
    """Left upper corners of the squares of which too much differs."""
    columns, rows = -(-where.width // SQUARE_PX), -(-where.height // SQUARE_PX)
    padded = Image.new("L", (columns * SQUARE_PX, rows * SQUARE_PX))
    padded.paste(where)
    shares = padded.resize((columns, rows), Image.Resampling.BOX).tobytes()
    return [(i % columns * SQUARE_PX, i // columns * SQUARE_PX) for i, share in enumerate(shares) if share > SQUARE_SHARE_MAX * 255]


def compare(name: str, now: Image.Image, report: pathlib.Path) -> str | None:
    """What is wrong, if anything; then the picture and the differences are left in `report`."""
    if not stored(name).exists():
        return f"there is no {stored(name).name}: run with BLESS_PICTURES=1, look at it, commit it"
    then = Image.open(stored(name)).convert("RGB")
    report.mkdir(parents=True, exist_ok=True)
    if now.size != then.size:
        now.save(report / f"{name}.now.png")
        return f"{name} is {now.width} × {now.height} px, was {then.width} × {then.height}: see {report / name}.now.png"
    where = differing(now, then)
    if not (found := squares(where)):
        return None
    now.save(report / f"{name}.now.png")
    where.save(report / f"{name}.differs.png")
    return f"{name} differs at {found[:6]} ({len(found)} squares of {SQUARE_PX} px): see {report / name}.now.png and .differs.png"


def opened(png: bytes) -> Image.Image:
    """Without what shines through: an overlay lies on a picture that is neither dark nor light."""
    over = Image.open(io.BytesIO(png)).convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", over.size, GROUND), over).convert("RGB")
