"""The Python SDK's decoder, and its speed in a separate process.

Python's cycle collector traverses all objects of a process: the SDK would pay for the objects of other benchmarks.
"""

from __future__ import annotations

import gc
import pickle
import subprocess
import sys
import time

from stellar_sdk.xdr import LedgerCloseMetaBatch


def decode_by_sdk(batches: list[bytes]) -> None:
    """Decode all objects with stellar-sdk."""
    for data in batches:
        LedgerCloseMetaBatch.from_xdr_bytes(data)


def sdk_speed(batches: list[bytes], *, collector: bool = True) -> float:
    """Return the megabytes per second of processor time that the SDK decodes, with or without the cycle collector."""
    argv = [sys.executable, "-m", __name__, "on" if collector else "off"]
    done = subprocess.run(argv, input=pickle.dumps(batches), check=True, capture_output=True)
    return sum(map(len, batches)) / 1e6 / float(done.stdout)


if __name__ == "__main__":
    given = pickle.load(sys.stdin.buffer)
    if sys.argv[1] == "off":
        gc.disable()
    begun = time.process_time()
    decode_by_sdk(given)
    print(time.process_time() - begun)
