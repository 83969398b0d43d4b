"""Cloud Storage on a laptop: gcp-storage-emulator, with objects as identical files that survive a kill.

``python -m local.bucket --port P --root DIR --bucket NAME`` serves the JSON API of Cloud Storage on 127.0.0.1. The
object ``o`` of bucket ``b`` is the file ``DIR/gcs/b/o``. Other processes can read, write and delete these files; each
request sees their current state.

``folder`` keeps objects as files, ``metadata`` what describes them, ``content`` reads and writes them in blocks,
``uploads`` reads the bodies of requests, ``corrections`` changes the emulator.
"""
