"""Pictures of the data folder as pixels: decoded apart, and kept for a while, since one is often edited again."""

from hashlib import sha256

from overpaint.errors import ImageError
from overpaint.picture import Picture
from overpaint.server.files import Files
from overpaint.server.kept import Kept
from overpaint.server.sandbox import Sandbox


class Decoded:
    """Decoded pictures by the SHA-256 of their file's bytes; the ones used last are kept. For any number of threads.

    Args:
        most_bytes: of pixels that are kept.
    """

    def __init__(self, sandbox: Sandbox, files: Files, most_bytes: int) -> None:
        self._sandbox, self._files = sandbox, files
        self._kept: Kept[str, Picture] = Kept(most_bytes, lambda picture: picture.nbytes)

    def take_in(self, data: bytes) -> tuple[str, Picture]:
        """Decode a file's bytes and keep them in the folder; the digest that gives them back. Raises ``ImageError``."""
        digest = sha256(data).hexdigest()
        picture = self._kept.get(digest) or self._decoded(digest, data)
        self._files.put_input(data)  # after it proved to be a picture
        return digest, picture

    def picture(self, digest: str) -> Picture:
        """The picture that was taken in. Raises ``ImageError`` if its file is not there any more."""
        known = self._kept.get(digest)
        if known is not None:
            return known
        data = self._files.read_input(digest)
        if data is None:
            raise ImageError("the picture's file is not kept any more; send it again")
        return self._decoded(digest, data)

    def _decoded(self, digest: str, data: bytes) -> Picture:
        picture = self._sandbox.decode(data)
        self._kept.put(digest, picture)
        return picture
