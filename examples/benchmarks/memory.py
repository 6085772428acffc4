"""Anonymous memory of this process, watched while something runs (Linux: /proc/self/status)."""

import threading
import time
from pathlib import Path


def anonymous_megabytes():
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) / 1024
    raise OSError("no RssAnon in /proc/self/status")


class Peak:
    """Highest anonymous memory while it is open, looked at every 2 ms."""

    def __enter__(self):
        self.value, self.open = anonymous_megabytes(), True
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()
        return self

    def watch(self):
        while self.open:
            self.value = max(self.value, anonymous_megabytes())
            time.sleep(0.002)

    def __exit__(self, *args):
        self.open = False
        self.thread.join()
