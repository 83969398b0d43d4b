"""Lakes of ledgers in the layout of SEP-54, as Galexie writes them: a store, read by ledger.

An object is one zstd frame of a `LedgerCloseMetaBatch`; `layout` tells of names, `stores` of where they lie.
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
"""How many names are asked for to find the newest ledger, and how many are looked at: other files may come first."""


ALWAYS_TAKEN = 64 << 20
"""How large the content of an object may be in any case, in bytes."""

MOST_TIMES_AS_LARGE = 100
"""How much larger than the object its content may be beyond that. Ledgers, which are full of hashes and signatures, are
some five to ten times as large."""

_PIECE = 2 << 10
"""How much of a frame is decompressed at once: of a bomb that is 64 MB at most."""


def decompress(data: bytes) -> bytes:
    """The content of a zstd frame.

    Raises:
        ZstdError: the frame is damaged, ends too early, or holds more than ledgers that were compressed can.
    """
    most = max(ALWAYS_TAKEN, MOST_TIMES_AS_LARGE * len(data))
    # At once where the frame tells how large its content is, which is held against what comes: a quarter less time.
    if 0 < zstandard.frame_content_size(data) <= most:
        return zstandard.ZstdDecompressor().decompress(data)
    return _decompress_in_pieces(data, most)


def _decompress_in_pieces(data: bytes, most: int) -> bytes:
    """The same for a frame that doesn't tell how large its content is, or tells of too much."""
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
        store: where they lie.
        passphrase: the network that the lake says it holds.
    """

    def __init__(
        self, store: Store, passphrase: str, layout: LakeLayout | None = None, window: Window | None = None
    ) -> None:
        self.store = store
        self.passphrase = passphrase
        self._network = network_id(passphrase)
        self._told_layout = layout
        self._window = window or Window()

    @cached_property
    def newest(self) -> Span:
        """The object with the newest ledger: the first name.

        Raises:
            ExportError: there is no lake, or it is empty.
        """
        location = self.store.location
        try:
            newest = next(spans_of(islice(self.store.names("", FEW), MANY)), None)
        except (FileNotFoundError, NotADirectoryError):
            raise ExportError(f"{location} does not exist: give --datastore-path a lake of ledgers") from None
        if newest is None:
            raise ExportError(f"{location} is no lake, or an empty one: it holds nothing like {EXAMPLE}")
        return newest

    @cached_property
    def _layout(self) -> LakeLayout | None:
        """How names are computed, None if they must be listed: always on this machine, where listing costs nothing."""
        told = self._told_layout if self.store.remote else None
        return told.as_in(self.newest) if told else None

    def spans(self, first: int, last: int) -> Iterable[Span]:
        """The objects that hold these ledgers, oldest first; whether computed ones are there, reading tells.

        Raises:
            NotReachedError: the lake ends before the last one.
            ExportError: ledgers are missing in between, named.
        """
        tip = self.newest.last
        if last > tip:
            raise NotReachedError(
                f"ledger {last} has not closed yet: the newest ledger of {self.store.location} is {tip}, "
                f"{last - tip} before it"
            )
        return self._layout.spans(first, last) if self._layout else self._listed(first, last)

    def _listed(self, first: int, last: int) -> list[Span]:
        """As `spans`, but known to be there.

        Raises:
            ExportError: ledgers are missing, or are there twice.
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
        """The objects that begin at or before a ledger, newest first; so many are wanted."""
        nearby = next(spans_of(self.store.names(inverted(sequence), 1)), None)
        # Their partitions come after that name, but the first one may begin with objects that are newer.
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
        """What tells how far the reading of a range is, every so many seconds."""
        return LedgerProgress(last - first + 1, seconds)

    def read(self, first: int, last: int, *, verify: bool = True, step: int = 1) -> Iterator[Ledger]:
        """The ledgers of a range, oldest first, each checked by its hashes.

        With a `step` every so many objects are read, by one of as many readers.

        Raises:
            NotReachedError: the lake ends before the last one.
            ExportError: a ledger is missing, damaged, or of another network.
        """
        for span, data in self._contents(first, last, step):
            for ledger in self._decoded(span, data):
                if first <= ledger.sequence <= last:
                    if verify:
                        ledger.verify()
                    yield ledger

    def readers(self, first: int, last: int) -> int:
        """How many processes may read a range side by side: several where each ledger has an object of its own.

        They share the window, and none may have to ask a service for names that another has asked for.

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
    """Opens the lake at a path: a folder, `file://…`, `gs://bucket/prefix` or `https://host/prefix`.

    Args:
        path: the lake itself, or the folder above it that holds one lake for each network.
        network: pubnet, testnet or futurenet; names the subfolder, and the passphrase of a lake without configuration.
        passphrase: the network that it must be, None for any.
        window: how much of a remote lake is read ahead.

    Raises:
        ExportError: there is no such lake, or it is of another network.
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
