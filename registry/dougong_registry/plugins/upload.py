"""Uploads go to a temporary file, never into memory, and are cut off at the size limit."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.files.uploadhandler import TemporaryFileUploadHandler

from dougong_registry.plugins import store
from dougong_registry.problem import TooLarge


class WheelUploadHandler(TemporaryFileUploadHandler):
    """Django's temporary-file handler, with a limit on the bytes that are accepted."""

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        self.received_bytes = 0

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        try:
            self._receive(raw_data, start)
        except BaseException:
            # Closing is what takes the file away; the error would keep it open for a while.
            self.file.close()
            raise

    def _receive(self, raw_data: bytes, start: int) -> None:
        self.received_bytes += len(raw_data)
        if self.received_bytes > settings.WHEEL_MAX_BYTES:
            raise TooLarge(
                f"a wheel may have {settings.WHEEL_MAX_BYTES} bytes at most; "
                "leave data sets and weights out of it"
            )
        try:
            super().receive_data_chunk(raw_data, start)
        except OSError as error:
            if error.errno not in store.NO_ROOM:
                raise
            raise store.full() from error
