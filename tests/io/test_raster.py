"""Pictures: exact in 8 and 16 bits, never millimetres, never half a picture."""

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from hilum.core import OutputError, UnreadableError, UnsupportedError
from hilum.io import read_mask, read_radiograph, write_png
from hilum.io.raster import png_bytes, read_picture

BYTES = np.random.default_rng(3).integers(0, 256, (40, 50)).astype(np.uint8)
WORDS = np.random.default_rng(4).integers(0, 65536, (40, 50)).astype(np.uint16)
ORIENTATION = 274


def save(pixels, path, mode=None, **options):
    image = Image.fromarray(pixels) if mode is None else Image.fromarray(pixels).convert(mode)
    image.save(path, **options)
    return path


@pytest.mark.parametrize("pixels", [BYTES, WORDS])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_grey_is_exact(pixels, suffix, tmp_path):
    xray = read_radiograph(save(pixels, tmp_path / f"x{suffix}"))
    assert xray.array.dtype == pixels.dtype
    np.testing.assert_array_equal(xray.array, pixels)
    assert xray.pixel_mm is None
    assert xray.source == f"x{suffix}"


@pytest.mark.parametrize("pixels", [BYTES, WORDS, BYTES > 100, WORDS.astype(np.int32), BYTES.astype(np.float32)])
def test_what_is_written_is_read(pixels, tmp_path):
    write_png(pixels, tmp_path / "x.png")
    back = read_radiograph(tmp_path / "x.png").array
    np.testing.assert_array_equal(back, pixels.astype(int) * (255 if pixels.dtype == bool else 1))


@pytest.mark.parametrize(
    "pixels", [WORDS.astype(int) + 60000, BYTES - 0.5, BYTES.astype(int) - 1, np.zeros((2, 2, 3), "u1")]
)
def test_what_a_png_can_t_hold_is_refused(pixels, tmp_path):
    with pytest.raises(OutputError):
        write_png(pixels, tmp_path / "x.png")
    assert list(tmp_path.iterdir()) == []


def test_lossless_and_lossy_compression(tmp_path):
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "packbits"):
        np.testing.assert_array_equal(
            read_picture(save(WORDS, tmp_path / "x.tif", compression=compression)).pixels, WORDS
        )
    smooth = np.add.outer(np.arange(40), np.arange(50)).astype(np.uint8)
    jpeg = read_picture(save(smooth, tmp_path / "x.jpg", quality=95))
    assert np.abs(jpeg.pixels.astype(int) - smooth).max() < 6
    assert "JPEG has changed its grey values" in jpeg.odd


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "P"])
def test_grey_in_a_coloured_coat(mode, tmp_path):
    np.testing.assert_array_equal(read_radiograph(save(BYTES, tmp_path / "x.png", mode)).array, BYTES)


def test_grey_in_a_coloured_jpeg(tmp_path):
    smooth = np.add.outer(np.arange(40), np.arange(50)).astype(np.uint8)
    assert np.abs(read_radiograph(save(smooth, tmp_path / "x.jpg", "RGB")).array.astype(int) - smooth).max() < 8


def test_colours_are_refused(tmp_path):
    colours = np.stack([BYTES, BYTES.T[:40, :40].repeat(2, 1)[:, :50], BYTES], axis=-1)
    with pytest.raises(UnsupportedError, match="is coloured"):
        read_radiograph(save(colours, tmp_path / "x.png"))
    Image.fromarray(colours).convert("CMYK").save(tmp_path / "x.jpg")
    with pytest.raises(UnsupportedError, match="CMYK"):
        read_radiograph(tmp_path / "x.jpg")


def png_of(pixels, bits, colour_type, path):
    """A PNG of another kind than Pillow writes: 2 or 4 bits, or 16 bits in several channels."""
    import struct
    import zlib

    def chunk(name, body):
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    height, width = pixels.shape[:2]
    if bits < 8:
        spread = np.unpackbits(pixels[..., None], axis=-1)[..., 8 - bits :].reshape(height, -1)
        rows = np.packbits(spread, axis=1)
    else:
        rows = pixels.astype(f">u{bits // 8}").reshape(height, -1).view(np.uint8)
    lines = b"".join(b"\0" + row.tobytes() for row in rows)
    header = struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    return path


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_few_bits_stay_the_labels_they_are(bits, tmp_path):
    labels = (BYTES.astype(int) % 2 ** min(bits, 8)).astype(np.uint8)
    path = png_of(labels, bits, 0, tmp_path / "m.png")
    np.testing.assert_array_equal(read_mask(path).labels, labels)
    np.testing.assert_array_equal(read_radiograph(path).array, labels)


@pytest.mark.parametrize(("colour_type", "channels"), [(4, 2), (2, 3), (6, 4)])
def test_sixteen_bits_in_channels_are_refused_rather_than_cut(colour_type, channels, tmp_path):
    path = png_of(np.stack([WORDS] * channels, axis=-1), 16, colour_type, tmp_path / "x.png")
    with pytest.raises(UnsupportedError, match="16 bits in several channels"):
        read_radiograph(path)


def test_a_palette_s_numbers_are_labels(tmp_path):
    image = Image.fromarray((BYTES % 3).astype(np.uint8))
    image.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0])
    image.save(tmp_path / "m.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "m.png").labels, BYTES % 3)
    with pytest.raises(UnsupportedError, match="coloured"):
        read_radiograph(tmp_path / "m.png")


@pytest.mark.parametrize("pixels", [BYTES, WORDS])
def test_white_is_zero_is_turned_around(pixels, tmp_path):
    """Pillow inverts 8 bits on both ways and leaves 16 bits alone, so only those come out turned here."""
    path = save(pixels, tmp_path / "x.tif", tiffinfo={262: 0})
    expected = pixels if pixels.dtype == np.uint8 else 65535 - pixels
    np.testing.assert_array_equal(read_radiograph(path).array, expected)


@pytest.mark.parametrize(("entry", "upright"), [(3, np.rot90(BYTES, 2)), (6, np.rot90(BYTES, -1)), (2, BYTES[:, ::-1])])
def test_a_turned_picture_is_brought_upright(entry, upright, tmp_path):
    exif = Image.Exif()
    exif[ORIENTATION] = entry
    picture = read_picture(save(BYTES, tmp_path / "x.png", exif=exif))
    np.testing.assert_array_equal(picture.pixels, upright)
    assert any("EXIF" in note for note in picture.odd)


def test_a_printing_resolution_is_no_millimetre(tmp_path):
    path = save(BYTES, tmp_path / "x.png", dpi=(300, 300))
    assert read_radiograph(path).pixel_mm is None
    assert any("millimetres" in note for note in read_picture(path).odd)


def test_several_pages_are_refused(tmp_path):
    Image.fromarray(BYTES).save(tmp_path / "x.tif", save_all=True, append_images=[Image.fromarray(BYTES)])
    with pytest.raises(UnsupportedError, match="2 pictures"):
        read_radiograph(tmp_path / "x.tif")


@pytest.mark.parametrize("name", ["x.png", "x.jpg", "x.tif"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_truncated_picture_is_refused(name, share, tmp_path):
    path = save(BYTES, tmp_path / name, **({"compression": "tiff_lzw"} if name == "x.tif" else {}))
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(UnreadableError, match="damaged or truncated"):
        read_radiograph(path)


def test_a_picture_that_unpacks_to_too_much_is_refused(tmp_path):
    path = png_of(np.zeros((1, 8), np.uint8), 8, 0, tmp_path / "x.png")
    content = bytearray(path.read_bytes())
    import struct
    import zlib

    content[16:24] = struct.pack(">II", 60000, 60000)
    content[29:33] = struct.pack(">I", zlib.crc32(bytes(content[12:29])))
    path.write_bytes(content)
    with pytest.raises(UnsupportedError, match="pixels"):
        read_radiograph(path)


def test_a_jpeg_is_no_mask(tmp_path):
    with pytest.raises(UnsupportedError, match="compression changes labels"):
        read_mask(save(BYTES, tmp_path / "m.jpg"))


def test_text_in_a_png_does_no_harm(tmp_path):
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", "x" * 1000)
    np.testing.assert_array_equal(read_radiograph(save(BYTES, tmp_path / "x.png", pnginfo=info)).array, BYTES)


def test_every_real_picture_is_read(real_data):
    for name in ("jsrt", "cxr-serial"):
        paths = sorted(real_data(name).rglob("*.png"))[:20]
        for path in paths:
            np.testing.assert_array_equal(read_picture(path).pixels, np.asarray(Image.open(path)))


def test_a_png_in_memory_is_the_one_on_disk(tmp_path):
    pixels = np.arange(12, dtype=np.uint16).reshape(3, 4) * 5000
    write_png(pixels, tmp_path / "a.png")
    assert png_bytes(pixels) == (tmp_path / "a.png").read_bytes()
    with pytest.raises(OutputError, match="the picture was not written"):
        png_bytes(-np.ones((2, 2)))
