"""Storage: file servers, appliances, drives and the paths to the GPU."""

from dataclasses import dataclass
from functools import cache

from gpudeck.errors import InputError
from gpudeck.tables import Row, read_table


@dataclass(frozen=True)
class StorageDevice:
    """One device or configuration, with the rows that are published of it."""

    id: str
    rows: dict[str, Row]

    def number(self, attribute: str) -> float:
        """Look one figure up, in the unit of its name; the middle where only a range is known.

        Raises
        ------
        InputError
            No such figure is published of this device.
        """
        if attribute not in self.rows:
            msg = (
                f"attribute is {attribute!r}; allowed for {self.id} in data/storage.csv are"
                f" {', '.join(self.rows)}"
            )
            raise InputError(msg)
        return self.rows[attribute].number


@cache
def read_storage_devices() -> dict[str, StorageDevice]:
    """Read every device of ``data/storage.csv``, by id."""
    table = read_table("storage")
    return {device_id: StorageDevice(device_id, table.of(device_id)) for device_id in table.ids}


def find_storage_device(device_id: str) -> StorageDevice:
    """Look one device up.

    Raises
    ------
    InputError
        There is no such device.

    >>> find_storage_device("Lustre-production").number("oss_read_gb_s")
    25.0
    """
    devices = read_storage_devices()
    if device_id not in devices:
        msg = f"storage is {device_id!r}; allowed in data/storage.csv are {', '.join(devices)}"
        raise InputError(msg)
    return devices[device_id]
