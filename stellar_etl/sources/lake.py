"""Lakes of ledgers in the layout of SEP-54, as Galexie writes them: a store, read by ledger.

An object is one zstd frame of a `LedgerCloseMetaBatch`; `layout` has the names, `stores` reads them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import cached_property
from itertools import islice, pairwise

import zstandard

from stellar_etl.errors import ExportError, NotReachedError
from stellar_etl.ledgers.ledger import Ledger, network_id
from stellar_etl.progress import LedgerProgress
from stellar_etl.sources.layout import EXAMPLE, LakeLayout, Span, compact, inverted, spans_of
from stellar_etl.sources.read_ahead import Window, read_ahead
from stellar_etl.sources.stores.base import Store
from stellar_etl.sources.stores.open import open_store
from stellar_etl.xdr import XdrError, decode_batch

PASSPHRASES = {
    "pubnet": "Public Global Stellar Network ; September 2015",
    "testnet": "Test SDF Network ; September 2015",
    "futurenet": "Test SDF Future Network ; October 2022",
}

CONFIG = ".config.json"

FEW, MANY = 20, 1000
"""The number of names requested to find the newest ledger, and the number examined: other files can come first."""


ALWAYS_TAKEN = 64 << 20
"""The size in bytes that the content of any object may have."""

MOST_TIMES_AS_LARGE = 100
"""The largest ratio of content to object beyond that. The content of ledgers, with many hashes and signatures, is about
five to ten times as large."""

_PIECE = 2 << 10
"""The part of a frame that is decompressed at once: at most 64 MB for a decompression bomb."""


def decompress(data: bytes) -> bytes:
    """The content of a zstd frame.

    Raises:
        ZstdError: the frame is damaged, ends too early, or is larger than compressed ledgers can be.
    """
    most = max(ALWAYS_TAKEN, MOST_TIMES_AS_LARGE * len(data))
    # Decompress at once if the frame contains the size of its content, which is verified: this saves a quarter of the
    # time.
    if 0 < zstandard.frame_content_size(data) <= most:
        return zstandard.ZstdDecompressor().decompress(data)
    return _decompress_in_pieces(data, most)


def _decompress_in_pieces(data: bytes, most: int) -> bytes:
    """The same for a frame that doesn't contain the size of its content, or too large a size."""
    frame = zstandard.ZstdDecompressor().decompressobj()
    pieces, size = [], 0
    for offset in range(0, len(data), _PIECE):
        pieces.append(frame.decompress(data[offset : offset + _PIECE]))
        size += len(pieces[-1])
        if size > most:
            raise zstandard.ZstdError(f"its content is larger than {most} bytes")
        if frame.eof:
            return b"".join(pieces)
    raise zstandard.ZstdError("the zstd frame is truncated")


class Lake:
    """A network's ledgers.

    Attributes:
        store: their store.
        passphrase: the network that the lake names.
    """

    def __init__(
        self, store: Store, passphrase: str, layout: LakeLayout | None = None, window: Window | None = None
    ) -> None:
        self.store = store
        self.passphrase = passphrase
        self._network = network_id(passphrase)
        self._declared_layout = layout
        self._window = window or Window()

    @cached_property
    def newest(self) -> Span:
        """The object with the newest ledger: the first name.

        Raises:
            ExportError: the lake does not exist or is empty.
        """
        location = self.store.location
        try:
            newest = next(spans_of(islice(self.store.names("", FEW), MANY)), None)
        except (FileNotFoundError, NotADirectoryError):
            raise ExportError(f"{location} does not exist: give --datastore-path a lake of ledgers") from None
        if newest is None:
            raise ExportError(f"{location} is not a lake, or is empty: it has no object with a name like {EXAMPLE}")
        return newest

    @cached_property
    def _layout(self) -> LakeLayout | None:
        """The layout that computes names, None to list them: always on this machine, where listing costs nothing."""
        declared = self._declared_layout if self.store.remote else None
        return declared.as_in(self.newest) if declared else None

    def spans(self, first: int, last: int) -> Iterable[Span]:
        """The objects of these ledgers, oldest first. Computed objects can be missing: reading fails then.

        Raises:
            NotReachedError: the lake ends before the last one.
            ExportError: ledgers are missing in between, named.
        """
        network_head = self.newest.last
        if last > network_head:
            raise NotReachedError(
                f"ledger {last} has not closed yet: the newest ledger of {self.store.location} is {network_head}, "
                f"{last - network_head} ledgers before it"
            )
        return self._layout.spans(first, last) if self._layout else self._listed(first, last)

    def _listed(self, first: int, last: int) -> list[Span]:
        """Like `spans`, but verified to exist.

        Raises:
            ExportError: ledgers are missing or duplicated.
        """
        found: list[Span] = []
        for span in self._begun(last, last - first + 2):
            if span.last < first:
                break
            found.append(span)
        found.reverse()
        for older, newer in pairwise(found):
            if newer.first <= older.last:
                raise ExportError(
                    f"{self.store.location} holds ledger {newer.first} twice: {older.name} and {newer.name}"
                )
        edges = [(first - 1, first - 1), *((span.first, span.last) for span in found), (last + 1, last + 1)]
        missing = [(before[1] + 1, after[0] - 1) for before, after in pairwise(edges) if after[0] > before[1] + 1]
        if missing:
            raise ExportError(f"{self.store.location} lacks ledgers {compact(missing)}: nothing was exported")
        return found

    def _begun(self, sequence: int, page: int) -> Iterator[Span]:
        """The objects that begin at or before a ledger, newest first; `wanted` of them are needed."""
        nearby = next(spans_of(self.store.names(inverted(sequence), 1)), None)
        # Their partitions come after that name, but the first one can begin with newer objects.
        return spans_of(self.store.names(nearby.folder + inverted(sequence), page)) if nearby else iter(())

    def at_or_before(self, sequence: int) -> list[Ledger]:
        """The ledgers of the newest object that begins at or before a ledger, oldest first; empty if there is none.

        Raises:
            ExportError: the object can't be read.
        """
        if self._layout:
            span = self._layout.span(sequence)
            with suppress(FileNotFoundError):
                return self._decoded(span, self.store.read(span.name))
        found = next(self._begun(sequence, 1), None)
        return self.load(found) if found else []

    def load(self, span: Span) -> list[Ledger]:
        """An object's ledgers, oldest first.

        Raises:
            ExportError: the object is missing, truncated or damaged.
        """
        try:
            data = self.store.read(span.name)
        except FileNotFoundError as error:
            raise ExportError(str(error)) from None
        return self._decoded(span, data)

    def _decoded(self, span: Span, data: bytes) -> list[Ledger]:
        location = f"{self.store.location}/{span.name}"
        try:
            batch = decode_batch(decompress(data))
        except (zstandard.ZstdError, XdrError) as error:
            raise ExportError(f"{location} can't be read: {error}") from None
        ledgers = [Ledger(meta[0], meta[1], self._network) for meta in batch["ledgerCloseMetas"]]
        sequences = [ledger.sequence for ledger in ledgers]
        if len(sequences) != span.last - span.first + 1 or sequences != list(range(span.first, span.last + 1)):
            raise ExportError(f"{location} does not hold the ledgers of its name")
        return ledgers

    def progress(self, first: int, last: int, seconds: float) -> LedgerProgress:
        """The progress of reading a range, reported at an interval of seconds."""
        return LedgerProgress(last - first + 1, seconds)

    def read(self, first: int, last: int, *, verify: bool = True, step: int = 1) -> Iterator[Ledger]:
        """The ledgers of a range, oldest first, each checked by its hashes.

        With a `step` only every `step`-th object is read, by one of `step` readers.

        Raises:
            NotReachedError: the lake ends before the last one.
            ExportError: a ledger is missing, damaged, or of another network.
        """
        for span, data in self._contents(first, last, step):
            ledgers = [ledger for ledger in self._decoded(span, data) if first <= ledger.sequence <= last]
            ledgers.reverse()
            while ledgers:
                if verify:
                    ledgers[-1].verify()
                yield ledgers.pop()  # keep none: the consumer frees a ledger before the next one is decoded

    def readers(self, first: int, last: int) -> int:
        """The number of processes that may read a range in parallel: several if each ledger is a separate object.

        They share the window, and no process may need to list names that another one has listed.

        Raises:
            ExportError: as `spans`.
        """
        if self.store.remote and (self._layout is None or self._layout.ledgers_per_batch > 1):
            return 1
        spans = self.spans(first, last)
        if self.store.remote:
            return min(self._window.threads, self._window.objects)
        return last - first + 1 if all(span.first == span.last for span in spans) else 1

    def _contents(self, first: int, last: int, step: int) -> Iterator[tuple[Span, bytes]]:
        def read(span: Span) -> bytes:
            return self.store.read(span.name)

        spans, window = islice(self.spans(first, last), 0, None, step), self._window.shared(step)
        try:
            yield from read_ahead(read, spans, window) if self.store.remote else ((s, read(s)) for s in spans)
        except FileNotFoundError as error:
            self._listed(first, last)  # names all ledgers that are missing
            raise ExportError(str(error)) from None


def open_lake(path: str, network: str, passphrase: str | None = None, window: Window | None = None) -> Lake:
    """Open the lake at a path: a folder, `file://…`, `gs://bucket/prefix` or `https://host/prefix`.

    Args:
        path: the lake itself, or the folder above it that holds one lake for each network.
        network: pubnet, testnet or futurenet; the subfolder, and the network of a lake without configuration.
        passphrase: the required network, None for any.
        window: the read-ahead of a remote lake.

    Raises:
        ExportError: the lake does not exist, or is of another network.
    """
    for location in (path, f"{path.rstrip('/')}/{network}"):
        store = open_store(location)
        try:
            config = json.loads(store.read(CONFIG))
            found = str(config["networkPassphrase"])
            found.encode()
            layout = LakeLayout.of(config)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except (KeyError, RecursionError, TypeError, ValueError) as error:
            raise ExportError(f"{store.location}/{CONFIG} can't be read: {error!r}") from None
        if passphrase is not None and passphrase != found:
            raise ExportError(f"{store.location} holds the network {found!r}, not {passphrase!r}")
        return Lake(store, found, layout, window)
    return Lake(open_store(path), passphrase or PASSPHRASES[network], window=window)
