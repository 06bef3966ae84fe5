"""A process that writes without end and says of each write that it was acknowledged; it is killed while it writes.

Arguments: the file. Each line on stdout is the name of a document whose creation was answered.
"""

import asyncio
import os
import sys
from pathlib import Path

from weft.model.document import Document, Key
from weft.store.source import Store
from weft.store.sqlite import open_sqlite


async def write_on(store: Store, worker: int) -> None:
    number = 0
    while True:
        name = f"{os.getpid()}-{worker}-{number}"
        await store.create(Document(key=Key(kind="K", name=name), content=b'{"padding":"%s"}' % (b"x" * 500)))
        os.write(1, f"{name}\n".encode())
        number += 1


async def main() -> None:
    store = await open_sqlite(Path(sys.argv[1]))
    await asyncio.gather(*(write_on(store, worker) for worker in range(4)))


asyncio.run(main())
